"""Joint compression compared with uniform quantization: `python -m benchmarks.joint_compression`
prints a table of bytes and test accuracy.

For each seed, a network and narrower ones are trained. Uniform quantization gives all layers the
same bit-width; the joint search, which compresses the first network, is that of
`experiments.compression`.
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compressors.joint import BIT_WIDTHS
from experiments.compression import DEFAULTS, compression
from nas.experiment import Experiment
from nas.objective import Budget, Evaluation, Objective, best
from nas.packed import unpack
from nas.program import score
from nas.runs.directory import packed_path
from nas.runs.run import run
from nas.space import Choice, Choices
from search_spaces.trained_network import TrainedNetwork
from strategies.grid import Grid

NARROW = (16, 12, 8)

Point = tuple[float, float]
"""The bytes of a packed file, and its test accuracy."""


def uniform(experiment: Experiment) -> dict[str, Point]:
    """The network of an experiment at each bit-width, the same in all layers."""
    assert isinstance(experiment.space, TrainedNetwork)
    space = TrainedNetwork(experiment.space.model, Choices([Choice("", "bits", BIT_WIDTHS)]))
    quantized = replace(
        experiment, space=space, objective=Objective(), strategy=Grid, trials=len(BIT_WIDTHS)
    )
    with tempfile.TemporaryDirectory() as out:
        found = run(quantized, Path(out, "run")).evaluations
        points = {
            evaluation.design["bits"]: _point(quantized, Path(out, "run"), evaluation)
            for evaluation in found
        }
    return {f"{bits} bits" if bits > 1 else "1 bit": points[bits] for bits in reversed(BIT_WIDTHS)}


def joint(experiment: Experiment, limits: Sequence[int]) -> dict[str, Point]:
    """The file of a search with the best validation accuracy within each limit in bytes; limits
    that no file meets are left out.
    """
    with tempfile.TemporaryDirectory() as out:
        found = run(experiment, Path(out, "run")).evaluations
        within = {
            f"joint, within {limit:,}": best(found, Objective(budget=Budget({"size_bytes": limit})))
            for limit in limits
        }
        return {
            name: _point(experiment, Path(out, "run"), leader)
            for name, leader in within.items()
            if leader is not None
        }


def _point(experiment: Experiment, out: Path, evaluation: Evaluation) -> Point:
    packed = packed_path(out, evaluation.id).read_bytes()
    return len(packed), score(unpack(packed), experiment.task.test)


def row(name: str, points: Sequence[Point]) -> str:
    """A row of the table: means over the seeds, and the standard error of the mean accuracy."""
    sizes, accuracies = zip(*points, strict=True)
    error = statistics.stdev(accuracies) / math.sqrt(len(points)) if len(points) > 1 else 0.0
    return f"| {name} | {statistics.fmean(sizes):,.0f} | {statistics.fmean(accuracies):.4f} ± {error:.4f} |"


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument(
        "--width", type=int, default=32, help="channels of the network that is compressed"
    )
    parser.add_argument(
        "--limits",
        type=int,
        nargs="+",
        default=[3000, 2000, 1500],
        help="largest sizes of the files to report, in bytes",
    )
    parser.add_argument(
        "--budget",
        type=int,
        help="largest size in the search, in bytes before coding; the largest limit by default",
    )
    options = parser.parse_args()
    budget, found = options.budget or max(options.limits), dict[str, list[Point]]()
    for seed in range(options.seeds):
        limited = replace(DEFAULTS, size_bytes=budget, trials=options.trials, seed=seed)
        given = compression(limited, width=options.width)
        points = uniform(given) | joint(given, options.limits)
        for width in (width for width in NARROW if width < options.width):
            quantized = uniform(compression(replace(DEFAULTS, seed=seed), width=width))
            points |= {f"width {width}, {name}": point for name, point in quantized.items()}
        for name, point in points.items():
            found.setdefault(name, []).append(point)
    print("| | bytes | test accuracy |\n|---|---|---|")
    for name, reached in found.items():
        print(row(name, reached))


if __name__ == "__main__":
    main()
