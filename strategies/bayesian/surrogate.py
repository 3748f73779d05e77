"""Bayesian optimization that looks up costs before it proposes a candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Proposal
from strategies.bayesian.acquisition import Acquisition
from strategies.bayesian.arms import Arms
from strategies.bayesian.cost_model import CostModel
from strategies.bayesian.encoding import Encoding, Genes, genotypes
from strategies.bayesian.inputs import Vector
from strategies.bayesian.observations import Observations
from strategies.bayesian.scalarization import dominated, drawn_weights, scalarized

_SAMPLES = 200
_LOCAL_SEARCH_STEPS = 3
# Shares of all feasible candidates that count as close to a limit, one drawn for each proposal.
_BOUNDARY_SHARES = (0.1, 0.01)
# A climb starts from the best of a drawn share of the results, and looks at some mutants of it.
_TOURNAMENT, _NEIGHBORS = 0.1, 60
# The most candidates whose expected improvement is computed from facts for one proposal.
_RANKED = 60
# A proposal paid if less than this share of all results is better: among few, if none is.
_PAYING = 0.03
# Without a prior, every so many candidates of the warm-up are the largest known: large may be bad.
_FOUNDERS = 5
_ANYWHERE, _CLIMB, _NEAR_LIMIT = "anywhere", "climb", "near limit"


class Surrogate:
    """Bayesian optimization with a Gaussian process over genes and costs, for searches of few
    evaluations.

    Candidates are ranked by the first component of the fitness or, for a `front`, by a scalarization
    of all, with weights drawn anew for each proposal (ParEGO, Knowles 2006). Ranks are modeled, as normal
    scores, so that neither a few failures at chance level nor a crowd of good candidates distorts
    the scale. After the warm-up, expected improvement times the probability of feasibility chooses
    among candidates that come from one of several arms: local search over the whole space, the
    neighbors of a good one or, under a known limit, candidates close to that limit, where the
    best ones of many problems lie and a model of few observations overlooks them. Every
    second proposal is from the whole space; which arm is drawn for the others is learned from how
    often its proposals were the best so far, or nearly (`Arms`).

    With facts (`inform`), a candidate known to be over budget is proposed only if no feasible one
    is known, and costs are inputs of the model: candidates of similar costs are correlated. The
    trend of the fitness in each cost is learned, not assumed.

    A prior, such as what a measurement before the search predicts, is believed until results say
    otherwise: it is the mean of the model, and its slope is learned as those of the costs are. An
    inverted one so costs the first proposals only.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        warmup: The number of results, at least 1, before the model is used. Until then feasible
            candidates known are drawn, but every fifth is the largest of them or, with a prior,
            every second that of the highest.
        lookups: The most candidates whose facts are looked up per proposal, at least 2; twice as
            many once a limit is known. Ten of those that cannot be built count as one.
        memory: The most observations that are modeled, at least 2: the best half and the latest.
            The time of a proposal grows with its cube.
        prior: The expected quality of a candidate, higher for better ones, on any scale: a pure
            function, called some hundred times per proposal. Where it is not finite, it is missing:
            the candidate is expected to be as good as the others.
        front: Whether proposals spread over the front of all components of the fitness.

    Raises:
        ValueError: if an argument is outside its range.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        warmup: int = 10,
        lookups: int = 30,
        memory: int = 300,
        prior: Callable[[Genotype], float] | None = None,
        front: bool = False,
    ) -> None:
        for name, value, least in (("warmup", warmup, 1), ("lookups", lookups, 2)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, but got {value}")
        self._rng = rng
        self._warmup = warmup
        self._lookups = lookups
        self._encoding = Encoding(choices)
        self._observations = Observations(memory)
        self._front = front
        self._fitnesses: list[Fitness] = []
        self._enumeration = choices.enumerate()
        self._next_enumerated: Genotype | None = next(self._enumeration)
        self._proposed: set[Genotype] = set()
        self._evaluated: set[Genotype] = set()
        self._pending: dict[Genotype, None] = {}
        self._arms = Arms((_ANYWHERE, _CLIMB, _NEAR_LIMIT), rng)
        self._arm_of: dict[Genotype, str] = {}
        self._prior = prior
        self._cost_model = CostModel(self._encoding)
        self._acquisition = Acquisition(self._encoding, self._cost_model, prior)

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Sets the function by which candidates are looked up before they are proposed."""
        self._cost_model = CostModel(self._encoding, facts)
        self._acquisition = Acquisition(self._encoding, self._cost_model, self._prior)

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Adds an observation.

        A failure of a candidate that is feasible by its facts is observed as a score of 0; other
        infeasible candidates only inform the cost model.
        """
        genotype, score = proposal.genotype, fitness[0]
        self._pending.pop(genotype, None)
        if genotype in self._evaluated:
            return
        self._evaluated.add(genotype)
        failed = score < 0 and self._cost_model.has_facts and self._cost_model.is_feasible(genotype)
        self._cost_model.observe(genotype, score)
        if score >= 0 or failed:
            self._observations.add(genotype, max(score, 0.0))
            self._fitnesses.append(tuple(max(value, 0.0) for value in fitness))
        if arm := self._arm_of.pop(genotype, None):
            self._arms.tell(arm, score >= 0 and self._pays(fitness))

    def _pays(self, fitness: Fitness) -> bool:
        """Whether a result is among the best, or on the front."""
        if not self._front:
            return self._observations.share_above(fitness[0]) < _PAYING
        return not dominated(np.array(self._fitnesses), np.array(fitness))

    def ask(self) -> Proposal:
        """A candidate that was not proposed before, unless the space is exhausted."""
        # One lookup is reserved for the candidate that is proposed in the end.
        factor = 2 if self._cost_model.limits.known else 1
        self._cost_model.allow_lookups(factor * self._lookups - 1)
        genotype, arm = self._choose()
        self._cost_model.allow_lookups(1)
        self._cost_model.look_up([genotype])
        self._cost_model.mark_proposed(genotype)
        self._proposed.add(genotype)
        if genotype not in self._evaluated:
            self._pending[genotype] = None
            if arm is not None:
                self._arm_of[genotype] = arm
        return Proposal(genotype)

    def _choose(self) -> tuple[Genotype, str | None]:
        """A candidate, and the arm that it is of, if one was drawn."""
        samples = self._unproposed(self._encoding.sample(self._rng, _SAMPLES))
        if not samples:
            while self._next_enumerated is not None and self._next_enumerated in self._proposed:
                self._next_enumerated = next(self._enumeration, None)
            if self._next_enumerated is None:
                return next(iter(self._observations.best(1) or self._proposed)), None
            samples = [self._next_enumerated]
        if len(self._observations) < self._warmup:
            return self._choose_warmup(samples), None
        if self._front:
            self._scalarize()
        self._acquisition.fit(self._observations, list(self._pending))
        arm = _ANYWHERE if len(self._proposed) % 2 else self._arms.draw(self._available)
        if arm == _NEAR_LIMIT:
            share = _BOUNDARY_SHARES[self._rng.integers(len(_BOUNDARY_SHARES))]
            if near := self._near_limit(samples, share):
                return self._maximize_ei(near), arm
        if arm == _CLIMB and (around := self._around_best()):
            return self._most_promising(around, samples), arm
        return self._local_search(samples), _ANYWHERE

    def _scalarize(self) -> None:
        """Ranks the observations by all objectives, with new weights."""
        fitnesses = np.array(self._fitnesses)
        weights = drawn_weights(self._rng, fitnesses.shape[1])
        self._observations = self._observations.rescored(scalarized(fitnesses, weights).tolist())

    @property
    def _available(self) -> tuple[str, ...]:
        limited = self._cost_model.limits.known
        return (_ANYWHERE, _CLIMB, _NEAR_LIMIT) if limited else (_ANYWHERE, _CLIMB)

    def _choose_warmup(self, samples: list[Genotype]) -> Genotype:
        """The most promising feasible candidate known, or a random one."""
        self._cost_model.look_up(samples)
        feasible = self._cost_model.unproposed
        if not feasible:
            return self._minimize_constraint(samples)
        if len(self._proposed) % (_FOUNDERS if self._prior is None else 2) == 0:
            return feasible[int(np.argmax(self._promise(feasible)))]
        return feasible[int(self._rng.integers(len(feasible)))]

    def _promise(self, feasible: list[Genotype]) -> Vector:
        """What warm-up candidates are chosen by: their prior, or else how large they are."""
        if self._prior is None:
            return self._cost_model.utilization(feasible)
        priors = np.array([self._prior(genotype) for genotype in feasible], np.float64)
        return np.where(np.isfinite(priors), priors, -np.inf)

    def _minimize_constraint(self, samples: list[Genotype]) -> Genotype:
        """The candidate of the smallest known or else predicted constraint."""
        least_infeasible = self._cost_model.least_infeasible(10)
        candidates = list(dict.fromkeys(samples + self._mutants(least_infeasible, each=10)))
        _, constraints = self._cost_model.predict(candidates)
        candidates = [candidates[index] for index in np.argsort(constraints, kind="stable")]
        known = self._cost_model.look_up(candidates)
        return min(known, key=self._cost_model.constraint) if known else candidates[0]

    def _near_limit(self, samples: list[Genotype], share: float) -> list[Genotype]:
        """The feasible candidates closest to a limit: a `share` of all, and ties with the last."""
        feasible = self._cost_model.unproposed
        utilization = self._cost_model.utilization(feasible)
        largest = [feasible[index] for index in np.argsort(-utilization, kind="stable")[:10]]
        candidates = list(dict.fromkeys(samples + self._mutants(largest, each=20)))
        predicted = self._cost_model.predict_utilization(candidates)
        distances = np.abs(np.log(np.maximum(predicted, 1e-9)))
        self._cost_model.look_up(
            candidates[index] for index in np.argsort(distances, kind="stable")
        )
        feasible = self._cost_model.unproposed
        if not feasible:
            return []
        utilization = self._cost_model.utilization(feasible)
        count = max(1, round(share * (len(feasible) + len(self._observations))))
        threshold = np.sort(utilization)[-min(count, len(feasible))] * (1 - 1e-9)
        return [feasible[index] for index in np.flatnonzero(utilization >= threshold)]

    def _maximize_ei(self, feasible: list[Genotype]) -> Genotype:
        return feasible[int(np.argmax(self._acquisition.log_ei(feasible)))]

    def _local_search(self, samples: list[Genotype]) -> Genotype:
        """The result of a local search on the acquisition function, from mutants of the best
        observations and from random samples.
        """
        best = self._observations.best(10)
        new = samples[: _SAMPLES // 2]
        for times in (1, 2):
            new += self._mutants(best[:3], each=30, times=times)
            new += self._mutants(best, each=6, times=times)
        values: dict[Genotype, float] = {}
        for step in range(_LOCAL_SEARCH_STEPS + 1):
            new = [genotype for genotype in dict.fromkeys(new) if genotype not in values]
            if new:
                acquired = self._acquisition.log_constrained_ei(new).tolist()
                values.update(zip(new, acquired, strict=True))
            ranked = sorted(values, key=values.__getitem__, reverse=True)
            if step < _LOCAL_SEARCH_STEPS:
                new = self._mutants(ranked[:10], each=10)
        return self._feasible_of(ranked, samples)

    def _around_best(self) -> list[Genotype]:
        """Neighbors that were not proposed, of the winner of a tournament of observations."""
        ranked = self._observations.best(len(self._observations))
        entrants = max(2, round(_TOURNAMENT * len(ranked)))
        center = ranked[int(self._rng.integers(len(ranked), size=entrants).min())]
        return self._mutants([center], each=_NEIGHBORS)

    def _most_promising(self, candidates: list[Genotype], samples: list[Genotype]) -> Genotype:
        order = np.argsort(-self._acquisition.log_constrained_ei(candidates), kind="stable")
        return self._feasible_of([candidates[index] for index in order], samples)

    def _feasible_of(self, ranked: list[Genotype], samples: list[Genotype]) -> Genotype:
        """The candidate of the highest expected improvement among the first that are feasible."""
        if not self._cost_model.has_facts:
            return ranked[0]
        known = self._cost_model.look_up(ranked, enough=_RANKED)
        feasible = [genotype for genotype in known if self._cost_model.is_feasible(genotype)]
        feasible = feasible or self._cost_model.unproposed[-100:]
        return self._maximize_ei(feasible) if feasible else self._minimize_constraint(samples)

    def _unproposed(self, genes: Genes) -> list[Genotype]:
        return [
            genotype
            for genotype in dict.fromkeys(genotypes(genes))
            if genotype not in self._proposed
        ]

    def _mutants(self, parents: Sequence[Genotype], each: int, times: int = 1) -> list[Genotype]:
        """The distinct unproposed ones of `each` mutants per parent, mutated `times` times."""
        genes = np.repeat(self._encoding.genes(parents), each, axis=0)
        for _ in range(times):
            genes = self._encoding.mutate(genes, self._rng)
        return self._unproposed(genes)
