"""Optuna as its users call it, on the searches of landscapes.py: `python -m benchmarks.peers DATA OUT`.

Needs the extra `optuna`. Every choice is a categorical parameter. A design over the limit is no
query, and is told as one that breaks a constraint; neither is a design that was queried before.
Searches are lines of the OUT of landscapes.py, and so rows of the same table.
"""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import optuna

from benchmarks.landscapes import main
from nas.objective import Fitness
from nas.space import Choices
from nas.strategy import Proposal, StrategyFactory

SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "optuna-tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "optuna-tpe-multivariate": lambda seed: optuna.samplers.TPESampler(
        seed=seed, multivariate=True
    ),
    "optuna-gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
}


class Peer:
    """A study of Optuna's.

    Args:
        choices: The space to search.
        rng: The source of the sampler's seed.
        sampler: One of `SAMPLERS`.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, sampler: str) -> None:
        self._choices = choices
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made = SAMPLERS[sampler](int(rng.integers(2**32)))
        self._study = optuna.create_study(direction="maximize", sampler=made)
        self._trial: optuna.Trial | None = None

    def ask(self) -> Proposal:
        """What the sampler suggests."""
        self._trial = self._study.ask()
        genes = [
            self._trial.suggest_categorical(choice.name, tuple(range(arity)))
            for choice, arity in zip(self._choices, self._choices.arities, strict=True)
        ]
        return Proposal(self._choices.canonical(genes))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:  # noqa: ARG002 - one is outstanding
        """The accuracy, or that the limit is broken and by how much."""
        assert self._trial is not None
        self._trial.set_constraint("limit", max(-fitness[0], 0.0))
        self._study.tell(self._trial, max(fitness[0], 0.0))


def peer(name: str) -> StrategyFactory:
    """The study of a sampler of `SAMPLERS`.

    Raises:
        ValueError: if there is no such sampler.
    """
    if name not in SAMPLERS:
        raise ValueError(f"a peer must be one of {tuple(SAMPLERS)}, but got {name!r}")
    return partial(Peer, sampler=name)


if __name__ == "__main__":
    main(make=peer)
