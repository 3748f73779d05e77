"""How ONNX Runtime agrees with packed files of deep networks, and what it costs to agree.

The networks are those of `python -m benchmarks.compress`, trained in floats and quantized without training, all layers to the
same bits. "Fused" are kernels of integers alone: on x86 without VNNI they add products with saturation unless
session.x64quantprecision is 1. Times are of one image on one thread, relative to the fused form in the same rounds.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.trained.cases import CASES
from benchmarks.trained.floats import floating
from compressors import quantize
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx, time_models
from nas.measure.parity import parity
from nas.onnx import to_onnx
from nas.threads import one_thread

NETWORKS, BITS = ("mobilenet_v2", "resnet18"), (8, 6, 4, 2)
CALIBRATION, SAMPLES, ROUNDS = 256, 1024, 20
COLUMNS = (
    "network",
    "bits",
    "form",
    "bytes",
    "logits that differ",
    "steps at most",
    "classes that differ",
    "time",
)


@one_thread()
def print_rows(name: str, data: Path, weights: Path | None, bits: int) -> None:
    """Prints a row for each form of a network, and way of adding up products."""
    case = CASES[name]
    task = case.task(data)
    path = weights and weights / f"{name}-seed0.safetensors"
    images = task.train.inputs[:CALIBRATION]
    quantized = quantize(floating(case, task, 0, path), bits, images)
    program = lower(snapped(quantized), images)
    forms = {"exact": to_onnx(program), "fused": to_onnx(program, fused=True)}
    seconds = time_models(list(forms.values()), ROUNDS)
    slower = float(np.median(seconds[:, 0] / seconds[:, 1]))
    inputs = task.validation.inputs[:SAMPLES]
    for form, kind, saturate, ratio in (
        ("exact", "exact", True, slower),
        ("fused", "fused", True, 1.0),
        ("fused, without saturation", "fused", False, 1.0),
    ):
        model = forms[kind]
        found = parity(program, inputs, run_onnx(model, inputs.numpy(), saturate=saturate))
        cells = (
            name,
            str(bits),
            form,
            f"{model.ByteSize():,}",
            f"{found.differing:.2%}",
            f"{found.steps:.0f}",
            f"{found.classes:.2%}",
            f"{ratio:.2f}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Prints a table of all networks and bits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with CIFAR-10 (JPEG q75)")
    parser.add_argument("--weights", type=Path, help="folder of weights: read, or else written")
    given = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for name in NETWORKS:
        for bits in BITS:
            print_rows(name, given.data, given.weights, bits)


if __name__ == "__main__":
    main()
