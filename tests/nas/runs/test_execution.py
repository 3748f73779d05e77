import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from torch import Tensor, nn

from nas.executors import InProcess, LocalProcesses
from nas.objective import Epoch, Evaluation, Status
from nas.runs.journal import read_journal
from nas.runs.run import run
from nas.runs.time_limits import CandidateLimit, SearchLimit
from nas.space import Choice, Choices, Design
from nas.strategy import Proposal
from nas.training.recipe import Recipe
from tests.nas.runs.experiments import STRATEGIES, Make, facts


def test_a_run_keeps_its_window(tiny: Make, tmp_path: Path) -> None:
    evolution = STRATEGIES["evolution"]
    run(tiny(strategy=evolution, trials=6, window=1), tmp_path / "a")
    resumed = run(tiny(strategy=evolution, trials=12), tmp_path / "a").evaluations
    one = run(tiny(strategy=evolution, trials=12, window=1), tmp_path / "b").evaluations
    four = run(tiny(strategy=evolution, trials=12), tmp_path / "c").evaluations
    assert facts(resumed) == facts(one) != facts(four)
    windows = [read_journal(tmp_path / out)[0]["experiment"]["window"] for out in "abc"]
    assert windows == [1, 1, 4]


def test_a_search_whose_time_is_over_ends_and_goes_on_later(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tiny(trials=8), tmp_path / "a").evaluations
    seen: Sequence[Evaluation] = ()

    def watch(evaluations: Sequence[Evaluation]) -> None:
        nonlocal seen
        seen = evaluations

    with monkeypatch.context() as patched:
        patched.setattr(SearchLimit, "is_over", lambda _: len(seen) == 3)
        found = run(tiny(trials=8), tmp_path / "b", watch, minutes=1.0)
    assert facts(found.evaluations) == facts(whole[:3])
    assert found.best is not None
    assert facts(run(tiny(trials=8), tmp_path / "b").evaluations) == facts(whole)


def test_minutes_must_be_above_0(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a search must have more than 0 minutes, but got 0"):
        run(tiny(), tmp_path / "a", minutes=0.0)
    with pytest.raises(ValueError, match="a trial must have more than 0 minutes, but got -1"):
        run(tiny(), tmp_path / "a", trial_minutes=-1.0)
    assert not (tmp_path / "a").exists()


def trained(seconds: float, epochs: int, status: Status = Status.OK) -> Evaluation:
    history = tuple(Epoch(1.0, 0.5) for _ in range(epochs))
    return Evaluation(
        id=0,
        genotype=(),
        design={},
        status=status,
        reason="",
        metrics={},
        seconds=seconds,
        history=history,
    )


def test_a_candidate_may_take_twenty_times_what_others_took_for_an_epoch() -> None:
    known, recipe = list[Evaluation](), Recipe(epochs=2, finetune_epochs=2)
    limit = CandidateLimit(None, known, recipe)
    assert limit.seconds(Proposal((0,))) == 6 * 3600
    known += [trained(4.0, 4), trained(0.0, 0, Status.OVER_BUDGET)]
    assert limit.seconds(Proposal((0,))) == 300
    known += [trained(400.0, 4), trained(800.0, 4)]
    assert limit.seconds(Proposal((0,))) == 20 * 400
    assert limit.seconds(Proposal((0,), 40)) == 20 * 4000
    assert CandidateLimit(2.0, known, recipe).seconds(Proposal((0,))) == 120


class Swallowing:
    """Once armed, interrupts the next `build`, and swallows that as Torch-Pruning does."""

    choices = Choices([Choice("head", "bits", (2, 4, 8))])
    armed = False

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        if Swallowing.armed:
            Swallowing.armed = False
            with suppress(BaseException):
                signal.raise_signal(signal.SIGINT)
        model = nn.Sequential(nn.Flatten())
        model.add_module("head", nn.Linear(example[0].numel(), classes))
        return model


@pytest.mark.fault(66)
def test_an_interrupt_that_a_candidate_swallows_ends_the_run(tiny: Make, tmp_path: Path) -> None:
    def arm(_: Sequence[Evaluation]) -> None:
        Swallowing.armed = True

    experiment = tiny(space=Swallowing(), trials=3)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(experiment, tmp_path, arm)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert not Swallowing.armed
    assert len(read_journal(tmp_path)[1]) == 1
    assert len(run(experiment, tmp_path).evaluations) == 3


@pytest.mark.slow
def test_an_experiment_is_sent_to_workers_and_the_journal_is_that_of_one_process(
    tiny: Make, tmp_path: Path
) -> None:
    experiment = tiny({"size_bytes": 160.0}, strategy=STRATEGIES["nsga2"], trials=8)
    here = run(experiment, tmp_path / "a", executor=InProcess())
    there = run(experiment, tmp_path / "b", executor=LocalProcesses(2))
    assert facts(there.evaluations) == facts(here.evaluations)
    for folder in ("weights", "packed"):
        for path in (tmp_path / "a" / folder).iterdir():
            assert path.read_bytes() == (tmp_path / "b" / folder / path.name).read_bytes()
