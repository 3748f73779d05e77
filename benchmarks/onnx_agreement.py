"""How ONNX Runtime agrees with packed files of deep networks, and what it costs to agree.

The networks are those of `python -m benchmarks.compress`, trained in floats and quantized without training, all layers to the
same bits. "Products": how ONNX Runtime adds products of 8-bit integers on x86 without VNNI, with saturation by default, without
where session.x64quantprecision is 1. Times are of one image on one thread, ; "relative" to the fused form.
"""

import argparse
from pathlib import Path


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
    "products",
    "bytes",
    "logits that differ",
    "steps at most",
    "classes that differ",
    "one image, relative",
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
    ratios = dict(zip(forms, (seconds / seconds[:, 1:]).mean(0), strict=True))
    inputs = task.validation.inputs[:SAMPLES]
    for form, model in forms.items():
        for saturate in (True, False):
            found = parity(program, inputs, run_onnx(model, inputs.numpy(), saturate=saturate))
            cells = (
                name,
                str(bits),
                form,
                "by default" if saturate else "exact",
                f"{model.ByteSize():,}",
                f"{found.differing:.2%}",
                f"{found.steps:.0f}",
                f"{found.classes:.2%}",
                f"{ratios[form]:.2f}",
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
