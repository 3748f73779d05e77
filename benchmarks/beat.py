"""The search against the engineer, and against random search, at equal processor time.

`python -m benchmarks.beat --data FOLDER --bytes 1536 --minutes 30`, a folder of Fashion-MNIST's files. The engineer's network is
the largest of `benchmarks.baselines` within the bytes; it is trained for as many epochs as the minutes allow. A search has half of
them, and its best candidate is trained for as many epochs as the others allow. Both train on training and validation samples in
the end, and their files, loaded again, are scored on the test samples.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

from benchmarks.baselines import BASELINES, Baseline
from benchmarks.trained.tasks import fashion_mnist
from experiments.images import DEFAULTS, images
from nas import Evaluation, Experiment, Task, run
from nas.objective import best
from nas.strategy import StrategyFactory
from strategies import RandomSearch

SEARCH = 0.5
FEWEST_EPOCHS = 4
ENGINEER = {16_384: "16kB", 6_144: "6kB", 2_560: "2.8kB", 1_536: "1.5kB-3bits", 768: "0.7kB"}
COLUMNS = ("bytes allowed", "", "candidates", "bytes", "test accuracy, by seed", "mean", "minutes")


class SpentError(Exception):
    """A search has used its share of the processor time."""


@dataclass(frozen=True)
class Clock:
    """Processor time since it was made."""

    start: float

    @property
    def seconds(self) -> float:
        """Of this process."""
        return time.process_time() - self.start


def finished(experiment: Experiment, out: Path, seconds_an_epoch: float, left: float) -> Evaluation:
    """The final network of a run: its best candidate, trained for as many epochs as `left` seconds
    allow, where one takes `seconds_an_epoch`, on training and validation samples.

    Raises:
        ValueError: if no candidate was within the budget.
    """
    samples = len(experiment.task.train.labels)
    both = samples + len(experiment.task.validation.labels)
    epochs = max(FEWEST_EPOCHS, int(left / (seconds_an_epoch * both / samples)))
    final = run(replace(experiment, final_epochs=epochs), out).final
    if final is None:
        raise ValueError(f"a candidate must be within {experiment.objective.budget}, but none is")
    return final


def engineered(baseline: Baseline, task: Task, minutes: float, seed: int, out: Path) -> Evaluation:
    """The network that was made by hand, trained for so long."""
    clock = Clock(time.process_time())
    experiment = replace(baseline, taught=False).experiment(task, seed)
    proportion = baseline.recipe.epochs / baseline.recipe.finetune_epochs
    short = replace(experiment.recipe, epochs=round(proportion), finetune_epochs=1)
    experiment = replace(experiment, recipe=short)
    run(experiment, out)
    an_epoch = clock.seconds / (short.epochs + short.finetune_epochs)
    return finished(experiment, out, an_epoch, 60 * minutes - clock.seconds)


def searched(experiment: Experiment, minutes: float, out: Path) -> tuple[int, Evaluation]:
    """How many candidates a search of half the minutes trained, and its final network."""
    clock = Clock(time.process_time())

    def watch(evaluations: Sequence[Evaluation]) -> None:
        found.append(evaluations[-1])
        if clock.seconds > 60 * SEARCH * minutes and best(found, experiment.objective):
            raise SpentError

    found = list[Evaluation]()
    try:
        run(experiment, out, watch)
    except SpentError:
        trials = sum(evaluation.is_trial for evaluation in found)
        experiment = replace(experiment, trials=max(trials, 1))
    leader = best(found, experiment.objective)
    if leader is None:
        raise ValueError(f"a candidate must be within {experiment.objective.budget}, but none is")
    # Seconds of the wall, of which this process had a share.
    share = clock.seconds / sum(evaluation.seconds for evaluation in found)
    samples = len(experiment.search_task.train.labels)
    trained = max(len(leader.history), 1) * samples / len(experiment.task.train.labels)
    left = 60 * minutes - clock.seconds
    return len(found), finished(experiment, out, share * leader.seconds / trained, left)


def row(size_bytes: int, name: str, made: Sequence[tuple[int, Evaluation]], minutes: float) -> str:
    """A row of the table, of one network for each seed."""
    accuracies = [final.metrics["test_accuracy"] for _, final in made]
    spread = f" ± {stdev(accuracies) / len(accuracies) ** 0.5:.4f}" if len(accuracies) > 1 else ""
    cells = (
        f"{size_bytes:,}",
        name,
        " · ".join(f"{count:,}" for count, _ in made),
        " · ".join(f"{final.metrics['size_bytes']:,.0f}" for _, final in made),
        " · ".join(f"{accuracy:.4f}" for accuracy in accuracies),
        f"{mean(accuracies):.4f}{spread}",
        f"{minutes:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def contestants(
    data: Path, task: Task, size_bytes: int, minutes: float
) -> dict[str, Callable[[int, Path], tuple[int, Evaluation]]]:
    """By name what makes a network from a seed in a run directory."""
    baseline = BASELINES[ENGINEER[size_bytes]]

    def search(
        seed: int, out: Path, strategy: StrategyFactory | None = None
    ) -> tuple[int, Evaluation]:
        made = images(str(data), replace(DEFAULTS, size_bytes=size_bytes, trials=10**6, seed=seed))
        made = made if strategy is None else replace(made, strategy=strategy)
        return searched(replace(made, task=task), minutes, out)

    return {
        "by hand": lambda seed, out: (1, engineered(baseline, task, minutes, seed, out)),
        "search": search,
        "random search": lambda seed, out: search(seed, out, RandomSearch),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each budget and contestant as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.beat", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--bytes", type=int, nargs="+", choices=tuple(ENGINEER), default=tuple(ENGINEER)
    )
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="of processor time, for each network"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, help="training images, instead of all")
    given = parser.parse_args(arguments)
    task = fashion_mnist(given.data).first(given.samples)
    print(f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", sep="\n")
    for size_bytes in given.bytes:
        for name, make in contestants(given.data, task, size_bytes, given.minutes).items():
            made, start = list[tuple[int, Evaluation]](), time.process_time()
            for seed in range(given.seeds):
                with tempfile.TemporaryDirectory() as out:
                    made.append(make(seed, Path(out)))
            minutes = (time.process_time() - start) / 60 / given.seeds
            print(row(size_bytes, name, made, minutes), flush=True)


if __name__ == "__main__":
    main()
