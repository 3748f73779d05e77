"""What a GPU gives, in five minutes: `python -m benchmarks.gpu`, with `--data`, a folder of Fashion-MNIST's
files, or synthetic images.

Ratios are medians over rounds in which all that is compared runs, one after the other.
"""

import argparse
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.baselines import BASELINES, COMPRESSORS, SPACE
from benchmarks.trained.tasks import fashion_mnist
from compressors import Quantization
from nas import Experiment, Objective, Recipe, Split, Task, run
from nas.compress import compress
from nas.executors import LocalProcesses
from nas.lowering import lower, snapped
from nas.objective import Budget, Curve, Evaluation
from nas.packed import pack, unpack
from nas.program import Program
from nas.program.interpreter import logits
from nas.seeds import seeded
from nas.threads import one_thread
from nas.training import precision
from nas.training.accelerator import Accelerator
from nas.training.fit import cross_entropy, fit
from strategies import RandomSearch

SAMPLES, CPU_SAMPLES = 12_800, 640
ROUNDS = 3
WORKERS = 1, 4, 8
CANDIDATE_SAMPLES, MACS = 12_000, 3e6


def images(count: int, shape: Sequence[int], classes: int = 10) -> Split:
    """Images of noise around a pattern for each class."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    patterns = torch.rand(classes, *shape, generator=rng)
    return Split((patterns[labels] + torch.rand(count, *shape, generator=rng)) / 2, labels)


def synthetic(count: int, shape: Sequence[int] = (1, 28, 28)) -> Task:
    """A task of such images."""
    train, other = images(count, shape), images(2_000, shape)
    return Task(name="synthetic", train=train, validation=other, test=other, classes=10)


def task_of(data: Path | None, samples: int) -> Task:
    """Images of 28 x 28 pixels, so many of them for training."""
    return synthetic(samples) if data is None else fashion_mnist(data).first(samples)


class Block(nn.Module):
    """A residual block of two 3x3 convolutions (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        )
        self.last = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        result: Tensor = self.last(self.body(x) + self.shortcut(x))
        return result


def resnet18(width: int = 64) -> nn.Module:
    """ResNet-18 for images of 3 x 32 x 32 pixels."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    before = width
    for stage in range(4):
        for block in range(2):
            after = width * 2**stage
            layers.append(Block(before, after, 2 if stage and not block else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def baseline(name: str, task: Task, quantized: bool) -> nn.Module:
    """The network of a baseline, in floats or quantized."""
    design = BASELINES[name].design
    with seeded(0):
        model = SPACE.build(design, task.example, task.classes)
        return compress(model, design, COMPRESSORS, task.train.inputs[:256]) if quantized else model


@dataclass(frozen=True)
class Way:
    """Where a network is trained and how: `samples` of the task are for a round."""

    name: str
    device: str
    samples: int
    captured: bool = True
    mixed: bool = True


CPU = Way("CPU", "cpu", CPU_SAMPLES)
EAGER = Way("GPU, step by step", "cuda", SAMPLES, captured=False)
RECORDED = Way("GPU, recorded", "cuda", SAMPLES)


def images_per_second(make: Callable[[], nn.Module], task: Task, way: Way, batch: int) -> float:
    """The speed of training, without what is done once."""
    times: list[float] = []

    def stop(reached: Curve) -> bool:  # noqa: ARG001 - a `Stop`
        times.append(time.perf_counter())
        return False

    part = replace(task.first(way.samples), validation=images(64, task.example.shape[1:]))
    threshold = precision.MIXED_PARAMETERS
    try:
        if not way.mixed:
            precision.MIXED_PARAMETERS = 10**12
        fit(
            make(),
            part.to(way.device),
            Recipe(batch_size=batch, validate_every=1000),
            epochs=3,
            lr=1e-3,
            loss=cross_entropy,
            generator=torch.Generator().manual_seed(0),
            stop=stop,
            captured=way.captured,
        )
    finally:
        precision.MIXED_PARAMETERS = threshold
    # The first epoch also records steps.
    return way.samples / (times[2] - times[1])


def speeds(
    name: str, make: Callable[[], nn.Module], task: Task, ways: Sequence[Way], batch: int = 64
) -> None:
    """Prints the images a second of each way, and its ratio to the first."""
    rounds = [[images_per_second(make, task, way, batch) for way in ways] for _ in range(ROUNDS)]
    for number, way in enumerate(ways):
        speed = statistics.median(each[number] for each in rounds)
        ratio = statistics.median(each[number] / each[0] for each in rounds)
        print(
            f"| {name}, batches of {batch} | {way.name} | {speed:,.0f} | {ratio:.2f} |", flush=True
        )


def exactness(name: str, program: Program, inputs: Tensor) -> None:
    """Prints how many logits differ between CPU and GPU, and how much faster the GPU is."""
    here, there = inputs, inputs.to("cuda")
    logits(program, there)
    seconds, found = [], []
    for each in (here, there):
        start = time.perf_counter()
        found.append(logits(program, each))
        seconds.append(time.perf_counter() - start)
    differ = int((found[0] != found[1]).sum())
    ratio = seconds[0] / seconds[1]
    print(f"| {name} | {found[0].size:,} | {differ} | {ratio:.1f} |", flush=True)


def trained_program(make: Callable[[], nn.Module], task: Task) -> tuple[Program, bytes]:
    """The program of a network after an epoch on the GPU, and its file."""
    model, calibration = make(), task.train.inputs[:256]
    shuffle = torch.Generator().manual_seed(0)
    there = task.first(SAMPLES).to("cuda")
    fit(model, there, Recipe(), epochs=1, lr=5e-3, loss=cross_entropy, generator=shuffle)
    packed = pack(lower(snapped(model), calibration))
    return unpack(packed), packed


def experiment(
    data: Path | None, accelerator: Accelerator = "cuda", samples: int = CANDIDATE_SAMPLES
) -> Experiment:
    """A random search among convolutional networks that a microcontroller runs."""
    return Experiment(
        space=SPACE,
        compressors=(Quantization(weights="lsq"),),
        task=task_of(data, samples),
        recipe=Recipe(epochs=6, finetune_epochs=3),
        objective=Objective(budget=Budget({"macs": MACS})),
        strategy=RandomSearch,
        trials=1000,
        seed=0,
        window=max(WORKERS),
        accelerator=accelerator,
    )


def candidates_per_hour(
    source: Callable[[], Experiment], workers: int, seconds: float
) -> tuple[float, int]:
    """The candidates of a search an hour, without its first ones, which wait for the workers to start, and
    how many there were.
    """
    times: list[float] = []

    def watch(found: Sequence[Evaluation]) -> None:
        times.append(time.perf_counter())
        if found[-1].reason:
            print(f"  {found[-1].status}: {found[-1].reason}", flush=True)

    with tempfile.TemporaryDirectory() as out:
        run(
            source(),
            Path(out),
            watch,
            executor=LocalProcesses(workers),
            source=source,
            minutes=seconds / 60,
        )
    counted = times[workers - 1 :]
    return 3600 * (len(counted) - 1) / (counted[-1] - counted[0]), len(times)


def guarded(what: str, part: Callable[[], None]) -> None:
    """Runs a part of the benchmark; what it raises is printed, and the others go on."""
    start = time.perf_counter()
    try:
        part()
    except Exception:  # whatever is wrong with one part, the others tell something
        print(f"{what} failed:\n{traceback.format_exc()}", flush=True)
    print(f"({what}: {time.perf_counter() - start:.0f} s)", flush=True)


@one_thread()
def main(arguments: Sequence[str] | None = None) -> None:
    """Prints tables as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each search")
    given = parser.parse_args(arguments)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n", flush=True)
    task = task_of(given.data, SAMPLES)

    print("| network | where | images a second | ratio |\n|---|---|---|---|", flush=True)
    for name in ("6kB", "16kB"):
        for kind, quantized in (("floats", False), ("quantized", True)):
            make = partial(baseline, name, task, quantized)
            ways = (CPU, EAGER, RECORDED)
            guarded(name, partial(speeds, f"{name}, {kind}", make, task, ways))
    make = partial(baseline, "6kB", task, True)
    guarded("6kB", partial(speeds, "6kB, quantized", make, task, (EAGER, RECORDED), 256))
    large = synthetic(6_400, (3, 32, 32))
    single = replace(EAGER, name="GPU, step by step, float32", samples=6_400, mixed=False)
    large_ways = (
        single,
        replace(RECORDED, name="GPU, recorded, float32", samples=6_400, mixed=False),
        replace(EAGER, name="GPU, step by step, bfloat16", samples=6_400),
        replace(RECORDED, name="GPU, recorded, bfloat16", samples=6_400),
    )
    guarded("ResNet-18", partial(speeds, "ResNet-18", resnet18, large, large_ways, 128))

    print("\n| file | logits | differ from the CPU's | speed of scoring |\n|---|---|---|---|")

    def same_logits(name: str) -> None:
        make = partial(baseline, name, task, True)
        program, packed = trained_program(make, task)
        exactness(name, program, task.test.inputs[:2_000])
        again = "the same file" if trained_program(make, task)[1] == packed else "ANOTHER FILE"
        print(f"  trained twice: {again}", flush=True)

    for name in ("6kB", "16kB"):
        guarded(name, partial(same_logits, name))

    print("\n| workers | candidates an hour | counted |\n|---|---|---|", flush=True)
    for workers in WORKERS:

        def searched(workers: int = workers) -> None:
            source = partial(experiment, given.data)
            speed, count = candidates_per_hour(source, workers, given.seconds)
            print(f"| {workers} | {speed:,.0f} | {count} |", flush=True)

        guarded(f"{workers} workers", searched)


if __name__ == "__main__":
    main()
