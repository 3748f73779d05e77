"""Optuna's tree-structured Parzen estimator and Gaussian process; needs the extra `optuna`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nas.objective import Fitness
from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.proposed import Proposed
from strategies.candidates.variation import mutate

try:
    import optuna
except ImportError as error:
    raise ImportError(
        "this strategy needs Optuna, which is not installed: pip install 'compact-nas[optuna]'"
    ) from error

SUGGESTIONS = 3
"""How many suggestions of a sampler are tried before mutations of the first one."""


class _OptunaSearch:
    """Proposes what a sampler of Optuna suggests, for the first component of the fitness.

    A choice with options in ascending or descending numerical order is an integer parameter, any
    other choice a categorical one. In place of a suggestion that breaks a constraint, the nearest
    genotype that breaks none is proposed, and the study gets its result. The time of a suggestion
    grows with the number of results, so a study of more than 2 × `memory` results is replaced by one
    of `memory`, the best and the latest.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        sampler: Callable[[int], optuna.samplers.BaseSampler],
        memory: int,
    ) -> None:
        if memory < 2:
            raise ValueError(f"memory must be at least 2, but got {memory}")
        self._choices = choices
        self._rng = rng
        self._sampler = sampler
        self._memory = memory
        self._proposed = Proposed(choices, redraws=20)
        self._distributions = [_distribution(choice) for choice in choices]
        self._evaluated: set[Genotype] = set()
        self._start_study([])

    def ask(self) -> Proposal:
        """The sampler's first new suggestion, or else a mutation of its first suggestion."""
        tried: list[Genotype] = []
        trial: optuna.Trial | None = None

        def draw() -> Genotype:
            nonlocal trial
            self._discard(trial)
            trial = self._study.ask() if len(tried) < SUGGESTIONS else None
            if trial is None:
                tried.append(mutate(self._choices, tried[0], self._rng))
                return tried[-1]
            suggested = self._suggest(trial)
            tried.append(self._choices.nearest(suggested))
            if tried[-1] != suggested:
                self._discard(trial)
                trial = None
            return tried[-1]

        genotype = self._proposed.draw_new(draw)
        if genotype in self._running or genotype in self._evaluated:
            self._discard(trial)
        elif trial is not None:
            self._running[genotype] = trial
        return Proposal(genotype)

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Adds a result to the study; a repeated one is ignored."""
        genotype = proposal.genotype
        if genotype in self._evaluated:
            return
        self._evaluated.add(genotype)
        self._results.append((genotype, fitness[0]))
        trial = self._running.pop(genotype, None)
        if trial is None:
            self._add(genotype, fitness[0])
        else:
            self._study.tell(trial, fitness[0])
        if len(self._results) > 2 * self._memory:
            half = self._memory // 2
            older, latest = self._results[:-half], self._results[-half:]
            best = sorted(older, key=lambda result: -result[1])[: self._memory - half]
            self._start_study(best + latest)

    def _start_study(self, results: Sequence[tuple[Genotype, float]]) -> None:
        """Replaces the study; running trials will be added to the new one as plain results."""
        seed = int(self._rng.integers(2**32))
        # Optuna logs the creation of a study, and warns of experimental arguments of samplers.
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(direction="maximize", sampler=self._sampler(seed))
        optuna.logging.set_verbosity(level)
        self._running: dict[Genotype, optuna.Trial] = {}
        self._results = list(results)
        for genotype, value in results:
            self._add(genotype, value)

    def _suggest(self, trial: optuna.Trial) -> Genotype:
        """A define-by-run suggestion, without the choices that are inactive."""
        genes: list[int] = []
        for index, distribution in enumerate(self._distributions):
            name = self._choices[index].name
            if not self._choices.is_active(index, genes):
                genes.append(0)
            elif isinstance(distribution, optuna.distributions.IntDistribution):
                genes.append(trial.suggest_int(name, distribution.low, distribution.high))
            else:
                genes.append(trial.suggest_categorical(name, distribution.choices))
        return tuple(genes)

    def _add(self, genotype: Genotype, value: float) -> None:
        active = self._choices.active(genotype)
        trial = optuna.trial.create_trial(
            params={self._choices[index].name: genotype[index] for index in active},
            distributions={
                self._choices[index].name: self._distributions[index] for index in active
            },
            value=value,
        )
        self._study.add_trial(trial)

    def _discard(self, trial: optuna.Trial | None) -> None:
        if trial is not None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _distribution(choice: Choice) -> Any:
    """The distribution of the gene of a choice."""
    numbers = [
        option
        for option in choice.options
        if isinstance(option, (int, float)) and not isinstance(option, bool)
    ]
    if len(numbers) == len(choice.options) and numbers in (
        sorted(numbers),
        sorted(numbers, reverse=True),
    ):
        return optuna.distributions.IntDistribution(0, len(numbers) - 1)
    return optuna.distributions.CategoricalDistribution(tuple(range(len(choice.options))))


class Tpe(_OptunaSearch):
    """Tree-structured Parzen estimator (Bergstra et al. 2011): samples each choice by the ratio of
    its density among the best candidates to that among the others.

    Candidates are ranked by the first component of the fitness. Infeasible ones rank below all
    feasible ones, in the order of their excess.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        startup: The number of random candidates, at least 1, before the estimator is used; 10 is
            Optuna's default.
        memory: The most results a study starts from, at least 2; it holds at most twice as many.

    Raises:
        ValueError: if `startup` is below 1 or `memory` below 2.
    """

    def __init__(
        self, choices: Choices, rng: np.random.Generator, startup: int = 10, memory: int = 250
    ) -> None:
        if startup < 1:
            raise ValueError(f"startup must be at least 1, but got {startup}")
        super().__init__(
            choices,
            rng,
            lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup),
            memory,
        )


class OptunaGaussianProcess(_OptunaSearch):
    """Optuna's Gaussian process with a Matérn 5/2 kernel and log expected improvement (Ament et al.
    2023); needs torch.

    It models the unconditional choices only; conditional ones are drawn uniformly. Candidates are
    ranked by the first component of the fitness.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        startup: The number of random candidates, at least 1, before the process is used; 10 is
            Optuna's default.
        memory: The most results a study starts from, at least 2; it holds at most twice as many.
            The default is below that of `Tpe`, because the time of a fit grows with its cube.

    Raises:
        ValueError: if `startup` is below 1 or `memory` below 2.
    """

    def __init__(
        self, choices: Choices, rng: np.random.Generator, startup: int = 10, memory: int = 100
    ) -> None:
        if startup < 1:
            raise ValueError(f"startup must be at least 1, but got {startup}")

        def sampler(seed: int) -> optuna.samplers.BaseSampler:
            return optuna.samplers.GPSampler(
                seed=seed,
                n_startup_trials=startup,
                deterministic_objective=True,
                warn_independent_sampling=False,
            )

        super().__init__(choices, rng, sampler, memory)
