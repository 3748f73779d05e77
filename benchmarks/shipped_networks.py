"""The networks that the project ships, one for each budget, and what they reach.

`python -m benchmarks.shipped_networks --add RUN --options "--data FOLDER --size-bytes 1536"` ships the final network of a run of
`nas run images` with these options, and trains it again with other seeds; without `--add`, it prints the table of all as Markdown,
as it stands in `benchmarks/RESULTS.md`.
"""

import argparse
import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import torch

from experiments.images import images
from nas.cli.experiment_options import parse_experiment
from nas.packed import unpack
from nas.program import Interpreter, Program
from nas.runs.directory import FINAL_FOLDER, packed_path
from nas.runs.final import read_final, train_final
from nas.runs.journal import read_journal
from nas.runs.training_progress import unwatched
from nas.threads import one_thread

FOLDER = Path(__file__).parent / "shipped"
COLUMNS = (
    "network",
    "bytes",
    "flash",
    "memory",
    "MACs",
    "test accuracy of the file",
    "mean of seeds",
    "candidates",
    "minutes of search, final training",
    "on",
)
SEEDED_INPUTS = 64


@dataclass(frozen=True, kw_only=True)
class ShippedNetwork:
    """A packed file of `benchmarks/shipped`, and what its run says of it.

    `accuracies` are test accuracies of the files of one design and recipe, trained with several seeds on training
    and validation samples; the first one is that of the shipped file. `outputs` is the digest of the
    integers that it gives for inputs that follow from a seed. Minutes are the sum over all trainings, as
    if one had followed another, on `machine`.
    """

    name: str
    data: str
    size_limit: int
    size_bytes: int
    flash_bytes: int
    peak_memory_bytes: int
    macs: int
    accuracies: tuple[float, ...]
    candidates: int
    search_minutes: float
    final_minutes: float
    machine: str
    command: str
    outputs: str

    @property
    def file(self) -> Path:
        """The packed file."""
        return FOLDER / f"{self.name}.nas"


def shipped_networks() -> list[ShippedNetwork]:
    """All that is shipped, by data and size."""
    stored = [json.loads(path.read_text()) for path in FOLDER.glob("*.json")]
    networks = [
        ShippedNetwork(**{**each, "accuracies": tuple(each["accuracies"])}) for each in stored
    ]
    return sorted(networks, key=lambda network: (network.data, network.size_limit))


def outputs_digest(program: Program) -> str:
    """The digest of the integers that a program gives for inputs that follow from a seed."""
    uniform = torch.Generator().manual_seed(0)
    inputs = torch.rand((SEEDED_INPUTS, *program.tensors[0].shape), generator=uniform)
    return hashlib.sha256(Interpreter(program).integers(inputs).numpy().tobytes()).hexdigest()[:16]


def table(networks: Sequence[ShippedNetwork]) -> str:
    """A row for each network, as Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for network in networks:
        spread = f"{mean(network.accuracies):.4f}"
        if len(network.accuracies) > 1:
            spread += f" ± {stdev(network.accuracies):.4f}"
        cells = (
            f"`{network.name}`",
            f"{network.size_bytes:,} of {network.size_limit:,}",
            f"{network.flash_bytes:,}",
            f"{network.peak_memory_bytes:,}",
            f"{network.macs:,}",
            f"**{network.accuracies[0]:.4f}**",
            f"{spread} ({len(network.accuracies)})",
            f"{network.candidates:,}",
            f"{network.search_minutes:.1f}, {network.final_minutes:.1f}",
            network.machine,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@one_thread()
def add(run: Path, options: Sequence[str], machine: str, seeds: int) -> ShippedNetwork:
    """Ships the final network of a run of `nas run images` with `options`, trained again with further
    seeds.

    Raises:
        ValueError: if the run has no final network.
    """
    final = read_final(run)
    if final is None or final.epochs is None:
        raise ValueError(f"{run} must have a final network; nas run … --final-epochs N trains it")
    experiment, _, _ = parse_experiment(images, [*options, "--out", str(run)], "nas run images")
    after, accuracies = experiment.after_search, [final.metrics["test_accuracy"]]
    for seed in range(after.seed + 1, after.seed + seeds):
        folder = run / f"seed{seed}"
        folder.mkdir(exist_ok=True)
        again = train_final(
            replace(after, seed=seed), final, round(final.epochs), folder, unwatched
        )
        accuracies.append(again.metrics["test_accuracy"])
    packed = packed_path(run / FINAL_FOLDER, final.id).read_bytes()
    evaluations = read_journal(run)[1]
    limit = int(experiment.objective.budget.limits["size_bytes"])
    data = options[options.index("--data") + 1]
    network = ShippedNetwork(
        name=f"{experiment.task.name}_{limit}",
        data=experiment.task.name,
        size_limit=limit,
        accuracies=tuple(accuracies),
        candidates=sum(evaluation.is_trial for evaluation in evaluations),
        search_minutes=sum(evaluation.seconds for evaluation in evaluations) / 60,
        final_minutes=final.seconds / 60,
        machine=machine,
        command=shlex.join(["nas", "run", "images", *options]).replace(data, experiment.task.name),
        outputs=outputs_digest(unpack(packed)),
        **{
            name: int(final.metrics[name])
            for name in ("size_bytes", "flash_bytes", "peak_memory_bytes", "macs")
        },
    )
    FOLDER.mkdir(exist_ok=True)
    network.file.write_bytes(packed)
    network.file.with_suffix(".json").write_text(json.dumps(asdict(network), indent=2) + "\n")
    return network


def main(arguments: Sequence[str] | None = None) -> None:
    """Ships a network, or prints the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.shipped_networks", description=__doc__)
    parser.add_argument("--add", type=Path, metavar="RUN", help="a run with a final network")
    parser.add_argument("--options", default="", help="those of nas run images that made the run")
    parser.add_argument("--machine", default="", help="what the run was made on")
    parser.add_argument("--seeds", type=int, default=3, help="final trainings in all")
    given = parser.parse_args(arguments)
    if given.add is not None:
        add(given.add, shlex.split(given.options), given.machine, given.seeds)
    print(table(shipped_networks()))


if __name__ == "__main__":
    main()
