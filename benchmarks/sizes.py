"""The size and the accuracy of one trained network in each format."""

import argparse
import importlib.util
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from onnx import load as load_model
from onnx import save as save_model
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Split, Task, hold_out, read_mnist
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx, time_models
from nas.onnx import float_to_onnx, to_onnx
from nas.packed import flash_bytes, pack, unpack
from nas.program import score
from nas.seeds import generator, seeded
from nas.threads import one_thread
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe

RECIPE = Recipe(epochs=2, finetune_epochs=1, batch_size=128)


def network(path: Path) -> nn.Module:
    """The `ReferenceNet` that a Python file defines."""
    spec = importlib.util.spec_from_file_location("reference_net", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net: nn.Module = module.ReferenceNet()
    return net


def task(folder: Path, samples: int) -> Task:
    """Fashion-MNIST, or another task in MNIST's format, with only the first `samples` training
    images.
    """
    train, test = read_mnist(folder)
    whole = hold_out(folder.name, train, test, 10, generator(0, "split"))
    return whole.first(samples)


def statically_quantized(model: ModelProto, calibration: Tensor) -> ModelProto:
    """A model quantized by ONNX Runtime's own tool: unsigned activations, and signed weights with a
    scale for each channel.
    """

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = iter(
                [{"input": batch.numpy()} for batch in torch.split(calibration, 64)]
            )

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self.batches, None)

    with TemporaryDirectory() as folder:
        source, prepared, target = (
            Path(folder, f"{name}.onnx") for name in ("fp32", "prepared", "int8")
        )
        save_model(model, source)
        quant_pre_process(source, prepared)
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(prepared, target, Batches(), per_channel=True, **types)
        return load_model(target)


def onnx_accuracy(model: ModelProto, split: Split) -> float:
    """The accuracy of a model on a split, in [0, 1]."""
    return float((run_onnx(model, split.inputs.numpy()).argmax(1) == split.labels.numpy()).mean())


def print_row(name: str, size: int, right: float, flash: str = "", network: str = "") -> None:
    """Prints the size and the accuracy of a format, and the flash bytes and the accuracy of the
    network if it has them.
    """
    print(f"{name:<34}{size:>9}{flash:>13}{right:>10.4f}{network:>10}", flush=True)


@one_thread()
def main() -> None:
    """Prints a row for each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=12000)
    options = parser.parse_args()
    data = task(options.data, options.samples)
    with seeded(0):
        model = network(options.net)
    shuffle = torch.Generator().manual_seed(0)
    fit(
        model,
        data,
        RECIPE,
        epochs=RECIPE.epochs,
        lr=RECIPE.lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    print(f"{'format':<34}{'bytes':>9}{'flash bytes':>13}{'accuracy':>10}{'network':>10}")
    print_row("torch.save, fp32", buffer.getbuffer().nbytes, accuracy(model, data.test))
    floating = float_to_onnx(model, data.example)
    models = {
        "ONNX, fp32": floating,
        "ONNX, int8 by ONNX Runtime": statically_quantized(floating, data.train.inputs[:256]),
    }
    for name, onnx_model in models.items():
        print_row(name, len(onnx_model.SerializeToString()), onnx_accuracy(onnx_model, data.test))
    for bits in (8, 6, 4, 3, 2):
        quantized = compress(model, {"bits": bits}, [Quantization()], data.train.inputs[:256])
        fit(
            quantized,
            data,
            RECIPE,
            epochs=RECIPE.finetune_epochs,
            lr=RECIPE.finetune_lr,
            loss=cross_entropy,
            generator=shuffle,
        )
        program = lower(snapped(quantized), data.example)
        packed = pack(program)
        exact, fake = score(unpack(packed), data.test), accuracy(quantized, data.test)
        print_row(
            f"packed, {bits} bits", len(packed), exact, f"{flash_bytes(program)}", f"{fake:.4f}"
        )
        if bits in (8, 4):
            name = f"packed, {bits} bits, exported to ONNX"
            models[name] = to_onnx(unpack(packed))
            print_row(
                name, len(models[name].SerializeToString()), onnx_accuracy(models[name], data.test)
            )
    seconds = time_models(list(models.values()), 100)
    print(f"{'one image, ONNX Runtime, 1 thread':<34}{'ms':>9}{'ratio to fp32':>15}")
    for name, column in zip(models, seconds.T, strict=True):
        print(
            f"{name:<34}{1000 * np.median(column):>9.4f}{np.median(column / seconds[:, 0]):>15.2f}"
        )


if __name__ == "__main__":
    main()
