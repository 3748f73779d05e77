"""A surrogate model for searches of few queries: Bayesian optimization that looks at costs before
it asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Proposal
from strategies.bayesian.acquisition import Acquisition
from strategies.bayesian.cost_model import CostModel
from strategies.bayesian.encoding import Encoding, Genes, genotypes
from strategies.bayesian.results import Results
from strategies.listing import designs

_SAMPLED = 200
_ROUNDS = 3
_SHARES = (0.1, 0.01)


class Surrogate:
    """Proposes what promises the largest improvement under a Gaussian process over genes and costs.

    Candidates are ranked by the first component of the fitness; the others are not looked at. What
    is modelled is the normal score of the rank, so that neither a few failures at chance level nor
    the crowding of good candidates near the top distorts the scale. The first `warmup` results come
    from candidates that are by turns the largest that fit and drawn at random. Then the expected
    improvement, times the chance of being within the budget, is maximized by local search over the
    space.

    With facts, nothing known to be over budget is proposed while something that fits is known, and
    candidates of like costs are expected to be alike. Under a limit every second proposal is chosen
    only among candidates that come close to it, where the best ones of many problems lie and a
    model of little data overlooks them. No slope of accuracy in cost is assumed: it is learnt.

    At most `lookups` candidates are looked up for one proposal, twice as many where a limit has
    been met, and at most `memory` results are modelled: the best half, and the latest.

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
    ) -> None:
        for name, value, least in (("warmup", warmup, 1), ("lookups", lookups, 2)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, but got {value}")
        self._rng = rng
        self._warmup = warmup
        self._lookups = lookups
        self._encoding = Encoding(choices)
        self._results = Results(memory)
        self._designs = designs(choices)
        self._left: Genotype | None = next(self._designs)
        self._asked: set[Genotype] = set()
        self._told: set[Genotype] = set()
        self._pending: dict[Genotype, None] = {}
        self._survey = CostModel(self._encoding)
        self._belief = Acquisition(self._encoding, self._survey)

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """From now on candidates are looked up before they are proposed."""
        self._survey = CostModel(self._encoding, facts)
        self._belief = Acquisition(self._encoding, self._survey)

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Below 0, what facts had found to fit has failed, and is as bad as can be; the rest does
        not enter the model.
        """
        genotype, score = proposal.genotype, fitness[0]
        self._pending.pop(genotype, None)
        if genotype in self._told:
            return
        self._told.add(genotype)
        failed = score < 0 and self._survey.informed and self._survey.is_fit(genotype)
        self._survey.told(genotype, score)
        if score >= 0 or failed:
            self._results.add(genotype, max(score, 0.0))

    def ask(self) -> Proposal:
        """A candidate that was not proposed before, unless all were."""
        # One lookup is kept for the candidate that is chosen in the end.
        self._survey.allow((2 if self._survey.limits.known else 1) * self._lookups - 1)
        genotype = self._chosen()
        self._survey.allow(1)
        self._survey.look([genotype])
        self._survey.proposed(genotype)
        self._asked.add(genotype)
        if genotype not in self._told:
            self._pending[genotype] = None
        return Proposal(genotype)

    def _chosen(self) -> Genotype:
        fresh = self._unseen(self._encoding.sample(self._rng, _SAMPLED))
        if not fresh:
            while self._left is not None and self._left in self._asked:
                self._left = next(self._designs, None)
            if self._left is None:
                return next(iter(self._results.best(1) or self._asked))
            fresh = [self._left]
        if len(self._results) < self._warmup:
            return self._founder(fresh)
        self._belief.update(self._results, list(self._pending))
        if self._survey.limits.known and len(self._asked) % 2 == 0:
            near = self._near_a_limit(fresh, _SHARES[len(self._asked) // 2 % len(_SHARES)])
            if near:
                return self._most_promising(near)
        return self._found(fresh)

    def _founder(self, fresh: list[Genotype]) -> Genotype:
        """Something to begin with: the largest that fits or, every other time, a random one that
        does.
        """
        self._survey.look(fresh)
        fitting = self._survey.open
        if not fitting:
            return self._likeliest_to_fit(fresh)
        if len(self._asked) % 2 == 0:
            return fitting[int(np.argmax(self._survey.sizes(fitting)))]
        return fitting[int(self._rng.integers(len(fitting)))]

    def _likeliest_to_fit(self, fresh: list[Genotype]) -> Genotype:
        """Where nothing else is known to fit: what is least over budget, or expected to be."""
        nearest = self._survey.nearest(10)
        candidates = list(dict.fromkeys(fresh + self._mutants(nearest, each=10)))
        _, labels = self._survey.predicted(candidates)
        candidates = [candidates[index] for index in np.argsort(labels, kind="stable")]
        known = self._survey.look(candidates)
        return min(known, key=self._survey.label) if known else candidates[0]

    def _near_a_limit(self, fresh: list[Genotype], share: float) -> list[Genotype]:
        """The open candidates nearest to a limit, as many as are a `share` of all, and those that
        are equally near.
        """
        fitting = self._survey.open
        sizes = self._survey.sizes(fitting)
        largest = [fitting[index] for index in np.argsort(-sizes, kind="stable")[:10]]
        candidates = list(dict.fromkeys(fresh + self._mutants(largest, each=20)))
        distances = np.abs(np.log(np.maximum(self._survey.predicted_shares(candidates), 1e-9)))
        self._survey.look(candidates[index] for index in np.argsort(distances, kind="stable"))
        fitting = self._survey.open
        if not fitting:
            return []
        sizes = self._survey.sizes(fitting)
        count = max(1, round(share * (len(fitting) + len(self._results))))
        least = np.sort(sizes)[-min(count, len(fitting))] * (1 - 1e-9)
        return [fitting[index] for index in np.flatnonzero(sizes >= least)]

    def _most_promising(self, fitting: list[Genotype]) -> Genotype:
        return fitting[int(np.argmax(self._belief.expectations(fitting)))]

    def _found(self, fresh: list[Genotype]) -> Genotype:
        """Where a local search for promise ends that starts from the best results and from random
        candidates.
        """
        best = self._results.best(10)
        starts = fresh[: _SAMPLED // 2]
        for times in (1, 2):
            starts += self._mutants(best[:3], each=30, times=times) + self._mutants(
                best, each=6, times=times
            )
        promise: dict[Genotype, float] = {}
        for step in range(_ROUNDS + 1):
            new = [genotype for genotype in dict.fromkeys(starts) if genotype not in promise]
            if new:
                promise.update(zip(new, self._belief.guesses(new).tolist(), strict=True))
            if step < _ROUNDS:
                starts = self._mutants(
                    sorted(promise, key=promise.__getitem__, reverse=True)[:10], each=10
                )
        ranked = sorted(promise, key=promise.__getitem__, reverse=True)
        if not self._survey.informed:
            return ranked[0]
        fitting = [
            genotype for genotype in self._survey.look(ranked[:60]) if self._survey.is_fit(genotype)
        ]
        fitting = fitting or self._survey.open[-100:]
        return self._most_promising(fitting) if fitting else self._likeliest_to_fit(fresh)

    def _unseen(self, genes: Genes) -> list[Genotype]:
        return [
            genotype for genotype in dict.fromkeys(genotypes(genes)) if genotype not in self._asked
        ]

    def _mutants(self, parents: Sequence[Genotype], each: int, times: int = 1) -> list[Genotype]:
        """So many mutants of each parent, mutated so many times, but for those that were proposed."""
        genes = np.repeat(self._encoding.rows(parents), each, axis=0)
        for _ in range(times):
            genes = self._encoding.mutants(genes, self._rng)
        return self._unseen(genes)
