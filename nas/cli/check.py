"""`nas check`: whether the parts of an experiment keep their contracts, before a search relies on them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from nas.cli.command_parser import EXPERIMENT, command_parser
from nas.cli.experiment_options import load_function, parse_experiment
from nas.cli.main import STOPPED
from nas.experiment import Experiment
from nas.measure import MeasuringDevice
from nas.seeds import generator
from nas.space import present_name
from nas.testing import check_compressor, check_device, check_space, check_strategy
from nas.threads import one_thread
from nas.training.fit import cross_entropy

SAMPLES = 4
"""In the batch that networks are checked with."""


def main(arguments: Sequence[str]) -> None:
    """Runs `nas check`."""
    parser = command_parser(
        "check",
        "Checks the space, the compressors, the strategy and the device of an experiment as nas.testing "
        "does, without training. Options of the experiment may follow.",
    )
    parser.add_argument("experiment", metavar=EXPERIMENT, help="the experiment to check")
    options, rest = parser.parse_known_args(arguments)
    function = load_function(options.experiment)
    experiment, _, _ = parse_experiment(function, rest, f"nas check {options.experiment}")
    failed = 0
    with one_thread():
        for what, check in checks(experiment):
            broken = _breach(check)
            failed += bool(broken)
            print(f"{what}: {broken or 'keeps its contract'}", flush=True)
    if failed:
        sys.exit(STOPPED)


def checks(experiment: Experiment) -> Iterator[tuple[str, Callable[[], None]]]:
    """For each part of an experiment what it is, and the check of its contract, which raises an
    AssertionError at a breach.
    """
    space, task = experiment.space, experiment.task
    compressors = (*experiment.narrowing, *experiment.compressors)
    samples, kinds = task.train.inputs[:SAMPLES].clone(), {c.kind for c in space.choices}

    def rng(*names: str) -> np.random.Generator:
        return generator(experiment.seed, "check", *names)

    yield (
        f"space {type(space).__name__}",
        partial(check_space, space, samples, task.outputs, rng("space"), compressors),
    )
    for index, each in enumerate(compressors):
        if present_name(each.kind) in kinds:
            arguments = each, space, samples, task.outputs, rng("compressor", str(index))
            yield f"compressor {type(each).__name__}", partial(check_compressor, *arguments)
    strategy = experiment.strategy
    yield f"strategy {_name(strategy)}", partial(check_strategy, strategy, space.choices)
    if (device := experiment.device) is not None:
        spread = 1.0 if isinstance(device, MeasuringDevice) else 0.0
        genotype = space.choices.sample(rng("device"))
        program = experiment.evaluator(cross_entropy).program(genotype)
        yield f"device {type(device).__name__}", partial(check_device, device, program, spread)


def _name(strategy: object) -> str:
    """Of a class, a function or a `functools.partial` of one."""
    made = getattr(strategy, "func", strategy)
    return str(getattr(made, "__name__", type(made).__name__))


def _breach(check: Callable[[], None]) -> str:
    try:
        check()
    except AssertionError as error:
        return str(error) or "an assertion of its own fails"
    return ""
