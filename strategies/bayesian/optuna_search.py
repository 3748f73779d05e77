"""Tree-structured Parzen estimators and Gaussian processes of Optuna, which the extra `optuna`
installs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nas.objective import Fitness
from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.unseen import Unseen
from strategies.candidates.variation import mutated

try:
    import optuna
except ImportError as error:
    raise ImportError(
        "this strategy needs Optuna, which is not installed: pip install 'compact-nas[optuna]'"
    ) from error

SUGGESTIONS = 3
"""How often a sampler is asked before neighbors of its first suggestion are tried."""


class _OptunaSearch:
    """Asks a sampler of Optuna for genes, and tells it the first component of the fitness.

    A choice whose options are rising or falling numbers is an integer to the sampler, any other one
    a category. The study holds at most twice `memory` results; then another begins with the best
    and the newest of them, `memory` in all, for what a sampler does with its results grows with
    their number.
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
        self._unseen = Unseen(choices, redraws=20)
        self._distributions = [_distribution(choice) for choice in choices]
        self._told: set[Genotype] = set()
        self._begin([])

    def ask(self) -> Proposal:
        """What the sampler suggests; where that was proposed before, what it suggests next, or else
        a neighbor.
        """
        tried: list[Genotype] = []
        trial: optuna.Trial | None = None

        def draw() -> Genotype:
            nonlocal trial
            self._drop(trial)
            trial = self._study.ask() if len(tried) < SUGGESTIONS else None
            tried.append(
                mutated(self._choices, tried[0], self._rng)
                if trial is None
                else self._suggested(trial)
            )
            return tried[-1]

        genotype = self._unseen.draw(draw)
        if genotype in self._running or genotype in self._told:
            self._drop(trial)
        elif trial is not None:
            self._running[genotype] = trial
        return Proposal(genotype)

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """One more result; a repeated one teaches nothing."""
        genotype = proposal.genotype
        if genotype in self._told:
            return
        self._told.add(genotype)
        self._results.append((genotype, fitness[0]))
        trial = self._running.pop(genotype, None)
        if trial is None:
            self._add(genotype, fitness[0])
        else:
            self._study.tell(trial, fitness[0])
        if len(self._results) > 2 * self._memory:
            half = self._memory // 2
            older, newest = self._results[:-half], self._results[-half:]
            self._begin(
                sorted(older, key=lambda result: -result[1])[: self._memory - half] + newest
            )

    def _begin(self, results: Sequence[tuple[Genotype, float]]) -> None:
        """A new study; what is outstanding will be a result of it without having been a trial."""
        seed = int(self._rng.integers(2**32))
        # Creating a study is the one thing here that Optuna logs, and the samplers have
        # experimental arguments.
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

    def _suggested(self, trial: optuna.Trial) -> Genotype:
        """Define by run: a choice that earlier ones leave inactive is not suggested."""
        genes: list[int] = []
        for index, distribution in enumerate(self._distributions):
            if not self._choices.is_active(index, genes):
                genes.append(0)
            elif isinstance(distribution, optuna.distributions.IntDistribution):
                genes.append(
                    trial.suggest_int(
                        self._choices[index].name, distribution.low, distribution.high
                    )
                )
            else:
                genes.append(
                    trial.suggest_categorical(self._choices[index].name, distribution.choices)
                )
        return tuple(genes)

    def _add(self, genotype: Genotype, value: float) -> None:
        active = self._choices.active(genotype)
        names = [self._choices[index].name for index in active]
        trial = optuna.trial.create_trial(
            params={name: genotype[index] for name, index in zip(names, active, strict=True)},
            distributions={
                name: self._distributions[index] for name, index in zip(names, active, strict=True)
            },
            value=value,
        )
        self._study.add_trial(trial)

    def _drop(self, trial: optuna.Trial | None) -> None:
        if trial is not None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _distribution(choice: Choice) -> Any:
    """Of the genes of a choice."""
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
    """Bergstra et al. 2011: what the best candidates have in common and the others have not, a
    choice at a time.

    The first `startup` candidates are random. Over budget is worse than anything within, and more
    so the further.

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
    """Optuna's Gaussian process (Matérn kernel of 5/2, log expected improvement: Ament et al.
    2023), which needs torch.

    It models the choices that all candidates share; the ones under a condition are drawn uniformly.
    The first `startup` candidates are random.

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
