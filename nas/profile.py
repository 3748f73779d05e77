"""A latency table for an experiment's search."""

from nas.experiment import Experiment
from nas.measure import Table
from nas.measure.profile import profile
from nas.run import evaluator_of
from nas.seeds import generator
from nas.train import cross_entropy


def profiled(experiment: Experiment, designs: int, rounds: int = 30) -> Table:
    """How long the operations of so many random designs of an experiment take on this host, each timed alone.

    Raises:
        ValueError: if there are no designs.
        Exception: whatever building and compressing a design raises.
    """
    if designs < 1:
        raise ValueError(f"there must be at least 1 design to profile, but got {designs}")
    evaluator = evaluator_of(experiment, cross_entropy)
    rng = generator(experiment.seed, "profile")
    genotypes = dict.fromkeys(experiment.space.choices.sample(rng) for _ in range(designs))
    return profile([evaluator.program(genotype) for genotype in genotypes], rounds)
