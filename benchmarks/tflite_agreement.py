"""How LiteRT and TensorFlow Lite Micro agree with packed files of digits networks, and how long their files are.

Networks are trained for EPOCHS epochs and quantized without training, all layers to the same bits. "tflite" and "tflite-micro" are
the files of `nas export --to`; "once" and "twice" are the interpreter's roundings, whose accuracies are those on the test samples.
A cell is the share of logits that differ, by how many steps at most, and the share of classes that differ. The time is that of
LiteRT on the "tflite" file, relative to that on the "tflite-micro" one, in the same rounds.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compressors import quantize
from nas.data import Task, digits
from nas.lowering import lower, snapped
from nas.measure.parity import parity
from nas.packed import pack
from nas.program import Program, score
from nas.program.rounding import ROUNDINGS, Rounding
from nas.seeds import generator, seeded
from nas.tflite import to_tflite
from nas.tflite.runtimes import run_litert, run_micro
from nas.threads import one_thread
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

BITS, EPOCHS, ROUNDS = (8, 4, 2), 30, 5
COLUMNS = (
    "network",
    "bits",
    "packed",
    "tflite",
    "tflite-micro",
    "accuracy, once",
    "twice",
    "tflite in LiteRT, once",
    "tflite-micro in TFLM, twice",
    "tflite-micro in TFLM, once",
    "tflite-micro in LiteRT, once",
    "time",
)


def conv(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution of 3 by 3 pixels, normalized and rectified."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, 1, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]


class Residual(nn.Module):
    """Two convolutions, added to what they read."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv(channels, channels), *conv(channels, channels)[:2])

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] to such."""
        return torch.relu(self.body(x) + x)


def head(channels: int) -> list[nn.Module]:
    """The mean of each channel, and a matrix product."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "MLP": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
    "CNN": lambda: nn.Sequential(
        *conv(1, 8), *conv(8, 16, 2), nn.Flatten(), nn.Linear(16 * 4 * 4, 10)
    ),
    "residual": lambda: nn.Sequential(*conv(1, 16), Residual(16), Residual(16), *head(16)),
    "depthwise": lambda: nn.Sequential(
        *conv(1, 16),
        *conv(16, 16, groups=16),
        nn.Conv2d(16, 32, 1),
        nn.Hardswish(),
        *conv(32, 32, 2, groups=32),
        nn.Conv2d(32, 32, 1),
        nn.Hardswish(),
        *head(32),
    ),
}


def trained(name: str, task: Task) -> nn.Module:
    """A network in floats."""
    shuffle = torch.Generator().manual_seed(0)
    with seeded(0):
        model = NETWORKS[name]()
        fit(model, task, Recipe(), epochs=EPOCHS, lr=1e-2, loss=cross_entropy, generator=shuffle)
    return model.eval()


def compared(
    program: Program, inputs: Tensor, said: NDArray[np.float32], rounding: Rounding
) -> str:
    """How logits agree with the interpreter's under a rounding."""
    found = parity(program, inputs, said, rounding)
    if not found.differing:
        return "0"
    return f"{found.differing:.2%}, {found.steps:.0f}, {found.classes:.2%}"


def time_ratio(models: tuple[bytes, bytes], inputs: NDArray[np.float32]) -> float:
    """How long LiteRT takes on the first model, relative to the second."""
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for model in models:
            start = time.perf_counter()
            run_litert(model, inputs)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return float(np.median(ratios))


@one_thread()
def main() -> None:
    """Prints a table of all networks and bits."""
    task = digits(generator(0, "task"))
    images = task.train.inputs[:256]
    inputs = torch.cat([task.validation.inputs, task.test.inputs])
    print(f"{len(inputs)} images\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for name in NETWORKS:
        network = trained(name, task)
        for bits in BITS:
            program = lower(snapped(quantize(network, bits, images)), images)
            once, twice = (to_tflite(program, rounding=rounding) for rounding in ROUNDINGS)
            micro, array = run_micro(twice, inputs.numpy()), inputs.numpy()
            cells = (
                name,
                str(bits),
                *(f"{len(file):,}" for file in (pack(program), once, twice)),
                *(f"{score(program, task.test, rounding=rule):.4f}" for rule in ROUNDINGS),
                compared(program, inputs, run_litert(once, array), "single"),
                compared(program, inputs, micro, "double"),
                compared(program, inputs, micro, "single"),
                compared(program, inputs, run_litert(twice, array), "single"),
                f"{time_ratio((once, twice), array):.1f}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
