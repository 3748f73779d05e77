"""The cost of a quantized training step as a ratio to the step in 32-bit floats, on one thread.

With `pip install '.[compare]'` there is a column for the layers of Brevitas.
"""

import argparse
import copy
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.compress import compress
from nas.seeds import seeded
from nas.space import Design
from search_spaces.conv_stages import ConvStages

OPERATORS = ("conv3x3", "separable", "inverted")
METHODS = {
    "default": Quantization(),
    "1 tensor": Quantization(weight_scales="tensor"),
    "pact": Quantization(activations="pact"),
    "lsq": Quantization(weights="lsq", activations="lsq"),
}
BATCH, CLASSES, WIDTH, BITS = 64, 10, 32, 4
BREVITAS = ["brevitas"] if find_spec("brevitas") else []


def network(operator: str, size: int) -> nn.Module:
    """Three stages of two blocks each, for square images of `size` pixels a side."""
    choices = {"op": operator, "width": WIDTH, "depth": 2}
    design = {
        f"stage{stage}.{kind}": option for stage in range(3) for kind, option in choices.items()
    }
    with seeded(0):
        return ConvStages().build(Design(design), torch.zeros(1, 1, size, size), CLASSES)


def with_brevitas(model: nn.Module) -> nn.Module:
    """A copy with layers of Brevitas: weights of `BITS` bits, activations of 8, and defaults
    otherwise.
    """
    layers, quantized = import_module("brevitas.nn"), copy.deepcopy(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            geometry = (module.stride, module.padding, module.dilation, module.groups)
            sizes = (module.in_channels, module.out_channels, module.kernel_size)
            made = layers.QuantConv2d(
                *sizes, *geometry, bias=module.bias is not None, weight_bit_width=BITS
            )
        elif isinstance(module, nn.Linear):
            made = layers.QuantLinear(
                module.in_features,
                module.out_features,
                module.bias is not None,
                weight_bit_width=BITS,
            )
        elif isinstance(module, nn.ReLU):
            made = layers.QuantReLU()
        else:
            continue
        quantized.set_submodule(name, made)
    return nn.Sequential(layers.QuantIdentity(), quantized)


def step(model: nn.Module, inputs: Tensor, labels: Tensor) -> Callable[[], None]:
    """One step of training as in `nas.training.fit.fit`."""
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return run


def seconds(run: Callable[[], None], repeats: int) -> float:
    """The processor time of a step in this process, which other processes do not change."""
    start = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - start) / repeats


def ratios(
    runs: Sequence[Callable[[], None]], rounds: int, repeats: int
) -> tuple[float, list[float]]:
    """The seconds of the first, and the ratio of each other to it: medians over rounds that run all
    of them.
    """
    times = [[seconds(run, repeats) for run in runs] for _ in range(rounds + 1)][1:]
    rows = [[row[column] / row[0] for row in times] for column in range(1, len(runs))]
    return statistics.median(row[0] for row in times), [statistics.median(row) for row in rows]


def main() -> None:
    """Prints a row for each operator and image size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # Brevitas names the dimensions of tensors, which torch warns is experimental.
    warnings.simplefilter("ignore")
    print(
        f"{'operator':<10}{'pixels':>8}{'fp32 ms':>9}"
        + "".join(f"{name:>12}" for name in (*METHODS, *BREVITAS))
    )
    for size in (8, 16, 28):
        generator = torch.Generator().manual_seed(0)
        inputs, labels = (
            torch.rand(BATCH, 1, size, size, generator=generator),
            torch.arange(BATCH) % CLASSES,
        )
        for operator in OPERATORS:
            floating = network(operator, size)
            models = [
                floating,
                *(
                    compress(floating, {"bits": BITS}, [method], inputs)
                    for method in METHODS.values()
                ),
            ]
            models += [with_brevitas(floating) for _ in BREVITAS]
            runs = [step(model, inputs, labels) for model in models]
            plain, found = ratios(runs, arguments.rounds, arguments.repeats)
            print(
                f"{operator:<10}{size:>5}x{size:<2}{1000 * plain:>9.2f}"
                + "".join(f"{ratio:>12.2f}" for ratio in found)
            )


if __name__ == "__main__":
    main()
