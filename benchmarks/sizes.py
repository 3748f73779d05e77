"""How many bytes one trained network takes in each format, and what is left of its accuracy: `make bench`."""

import argparse
import importlib.util
import io
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from compressors.quantization import Quantization
from nas.artifact import flash_bytes, lower, pack, score, settled, unpack
from nas.compress import compress
from nas.data import Split, Task, hold_out, read_mnist
from nas.seeds import generator, seeded
from nas.train import Recipe, accuracy, cross_entropy, fit

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
    """Fashion-MNIST, or any task of MNIST's files, trained on the first `samples` images."""
    train, test = read_mnist(folder)
    whole = hold_out(folder.name, train, test, 10, generator(0, "split"))
    return replace(whole, train=Split(whole.train.inputs[:samples], whole.train.labels[:samples]))


def main() -> None:
    """Prints a row for each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=12000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = task(options.data, options.samples)
    with seeded(0):
        model = network(options.net)
    shuffle = torch.Generator().manual_seed(0)
    fit(model, data, RECIPE, epochs=RECIPE.epochs, lr=RECIPE.lr, loss=cross_entropy, generator=shuffle)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    print(f"{'format':<24}{'bytes':>9}{'flash bytes':>13}{'accuracy':>10}{'fake quant':>12}")
    print(f"{'torch.save, fp32':<24}{buffer.getbuffer().nbytes:>9}{'':>13}{accuracy(model, data.test):>10.4f}")
    for bits in (8, 6, 4, 3, 2):
        quantized = compress(model, {"bits": bits}, [Quantization()], data.train.inputs[:256])
        fit(quantized, data, RECIPE, epochs=RECIPE.finetune_epochs, lr=RECIPE.finetune_lr, loss=cross_entropy, generator=shuffle)
        program = lower(settled(quantized, data.example), data.example)
        packed = pack(program)
        exact, fake = score(unpack(packed), data.test), accuracy(quantized, data.test)
        print(f"{f'packed, {bits} bits':<24}{len(packed):>9}{flash_bytes(program):>13}{exact:>10.4f}{fake:>12.4f}", flush=True)


if __name__ == "__main__":
    main()
