"""Strategies and workers that do what a test says."""

import random
from collections.abc import Sequence

import numpy as np

from nas.objective import Budget, Evaluation, Fitness, Objective, Status
from nas.search_loop import Pending
from nas.strategy import Proposal

OBJECTIVE = Objective(maximize=("accuracy",), minimize=(), budget=Budget({"size": 70}))


def measured(id: int, proposal: Proposal) -> Evaluation:
    """Sizes 0 to 99, of which those above 70 are over budget, and an accuracy that follows from the
    genotype.
    """
    (gene,) = proposal.genotype
    metrics = {"size": float(gene % 100), "accuracy": gene * 7 % 101 / 100}
    if metrics["size"] > 70:
        return Evaluation(
            id=id,
            genotype=proposal.genotype,
            design={},
            status=Status.OVER_BUDGET,
            reason="too large",
            metrics={"size": metrics["size"]},
            seconds=0.0,
        )
    if metrics["size"] == 13:
        return Evaluation(
            id=id,
            genotype=proposal.genotype,
            design={},
            status=Status.FAILED,
            reason="unlucky",
            metrics={},
            seconds=0.0,
            epochs=proposal.epochs,
        )
    return Evaluation(
        id=id,
        genotype=proposal.genotype,
        design={},
        status=Status.OK,
        reason="",
        metrics=metrics,
        seconds=0.0,
        epochs=proposal.epochs,
    )


class Scripted:
    """Proposes a script, over and over, and notes how many results it knew at each
    time.
    """

    def __init__(self, script: Sequence[int | Proposal]) -> None:
        self.script = [Proposal((item,)) if isinstance(item, int) else item for item in script]
        self.asked: list[Proposal] = []
        self.told: list[tuple[Proposal, Fitness]] = []
        self.known: list[int] = []

    def ask(self) -> Proposal:
        self.known.append(len(self.told))
        self.asked.append(self.script[len(self.asked) % len(self.script)])
        return self.asked[-1]

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        self.told.append((proposal, fitness))


class Adaptive(Scripted):
    """Its proposals depend on all results and on their order."""

    def __init__(self, seed: int, genes: int) -> None:
        super().__init__([])
        self._rng = np.random.default_rng(seed)
        self._genes = genes

    def ask(self) -> Proposal:
        self.known.append(len(self.told))
        self.asked.append(Proposal((int(self._rng.integers(self._genes)),)))
        return self.asked[-1]

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        super().tell(proposal, fitness)
        # Another result, or the same ones in another order, lead to another next draw.
        for _ in range(int(fitness[0] * 50) % 7):
            self._rng.random()


class Workers:
    """Evaluations that end in a random order; one is only sure to have ended when it is waited for."""

    def __init__(self, seed: int = 0) -> None:
        self.started: list[Proposal] = []
        self.ended: list[int] = []
        self.awaited: list[int] = []
        self.most = 0
        self._rng = random.Random(seed)

    def __call__(self, id: int, proposal: Proposal) -> Pending:
        assert id == len(self.started)
        self.started.append(proposal)
        self.most = max(self.most, len(self.started) - len(self.awaited))

        def wait() -> Evaluation:
            running = [other for other in range(len(self.started)) if other not in self.ended]
            self._rng.shuffle(running)
            self.ended += running[: running.index(id) + 1] if id in running else []
            self.awaited.append(id)
            return measured(id, proposal)

        return wait
