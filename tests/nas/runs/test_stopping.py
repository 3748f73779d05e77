from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.objective import Curve, Evaluation, Status
from nas.runs.run import run
from nas.strategy import Proposal
from nas.training.recipe import Recipe
from nas.training.stopping import MedianStop
from strategies.random_search import RandomSearch
from tests.nas.runs.experiments import STRATEGIES, Make, facts


@pytest.mark.parametrize("window", [1, 4])
def test_a_candidate_is_stopped_by_what_is_known_before_it_starts_also_after_a_restart(
    tiny: Make, tmp_path: Path, window: int
) -> None:
    shown: dict[int, Sequence[Curve]] = {}

    def rule(reached: Curve, earlier: Sequence[Curve]) -> bool:
        shown.setdefault(len(shown) if not reached else len(shown) - 1, tuple(earlier))
        return MedianStop(epochs=1, curves=2)(reached, earlier)

    recipe = Recipe(epochs=2, finetune_epochs=2, batch_size=10, lr=0.03, finetune_lr=0.03)
    experiment = tiny(
        stop=rule, recipe=recipe, trials=10, window=window, strategy=STRATEGIES["evolution"]
    )
    reference = run(experiment, tmp_path / "whole").evaluations
    stopped = [e.id for e in reference if e.status is Status.STOPPED]
    assert stopped
    assert len(reference) == 10, "a stopped candidate is a trial"
    assert all(e.history and "accuracy" not in e.metrics for e in reference if e.id in stopped)
    histories = [e.history for e in reference]
    assert shown == {e.id: tuple(histories[: max(0, e.id + 1 - window)]) for e in reference}

    def interrupt(seen: Sequence[Evaluation]) -> None:
        if len(seen) == stopped[0] + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(experiment, tmp_path / "parts", interrupt)
    assert facts(run(experiment, tmp_path / "parts").evaluations) == facts(reference)


def test_a_candidate_is_compared_with_candidates_of_as_many_epochs(
    tiny: Make, tmp_path: Path
) -> None:
    class Alternating(RandomSearch):
        asked = 0

        def ask(self) -> Proposal:
            self.asked += 1
            return Proposal(super().ask().genotype, (2.0, None, 3.0)[self.asked % 3])

    shown: list[tuple[int, int]] = []

    def rule(reached: Curve, earlier: Sequence[Curve]) -> bool:
        shown.extend((len(reached), len(curve)) for curve in earlier)
        return False

    recipe = Recipe(epochs=2, finetune_epochs=2, batch_size=10)
    experiment = tiny(stop=rule, recipe=recipe, trials=7, strategy=Alternating, window=1)
    found = run(experiment, tmp_path)
    lengths = {2.0: 2, None: 4, 3.0: 3}
    assert [len(e.history) for e in found.evaluations] == [
        lengths[e.epochs] for e in found.evaluations
    ]
    assert set(shown) == {(reached, whole) for whole in (2, 3, 4) for reached in range(whole)}
    assert found.best is not None
    assert found.best.epochs is None
