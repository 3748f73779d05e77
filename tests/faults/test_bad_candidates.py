"""One bad candidate is one bad candidate."""

from functools import partial
from pathlib import Path

import pytest
import torch

from nas.executors import InProcess, LocalProcesses
from nas.objective import Evaluation, Status
from nas.runs.run import run
from nas.strategy import Proposal
from nas.training.fit import cross_entropy
from tests.faults.candidates import harmful
from tests.nas.runs.experiments import facts

HARMS = {
    "exit": "the process ended with status 0",
    "abort": "the process was ended by SIGABRT",
    "sys.exit": "SystemExit: 0",
    "interrupt": "KeyboardInterrupt: ",
    "dtype": "a candidate must leave its process as it was, but torch.get_default_dtype() was torch.float32 and is",
    "grad": "but torch.is_grad_enabled() was True and is False",
    "threads": "but torch.get_num_threads() was 1 and is 3",
    "samples": "but the samples of the task are others",
}


def searched(out: Path, *harms: str) -> list[Evaluation]:
    make = partial(harmful, *harms)
    return [*run(make(), out, executor=LocalProcesses(1), source=make).evaluations]


def by_harm(evaluations: list[Evaluation]) -> dict[object, list[Evaluation]]:
    found: dict[object, list[Evaluation]] = {}
    for each in evaluations:
        found.setdefault(each.design["harm"], []).append(each)
    return found


@pytest.mark.fault(5, 61, 62, 63)
@pytest.mark.slow
def test_each_harm_is_the_failure_of_its_candidate_and_no_other_is_touched(tmp_path: Path) -> None:
    # Sixteen failures in a row would end the search.
    harms = [each for harm in HARMS for each in (harm, "none")]
    found = by_harm(searched(tmp_path / "a", *dict.fromkeys(harms)))
    for harm, reason in HARMS.items():
        assert [each.status for each in found[harm]] == [Status.FAILED] * 2
        assert all(reason in each.reason for each in found[harm]), harm
    evaluate = harmful(*dict.fromkeys(harms)).evaluator(cross_entropy)
    for each in found["none"]:
        assert each.metrics == evaluate(0, Proposal(each.genotype))[0].metrics


@pytest.mark.fault(10)
@pytest.mark.parametrize("harm", ["loop", "long call"])
@pytest.mark.slow
def test_what_never_ends_has_failed_after_its_time(harm: str, tmp_path: Path) -> None:
    make = partial(harmful, harm, "none", bits=(8,))
    evaluations = run(make(), tmp_path, executor=LocalProcesses(1), trial_minutes=0.3).evaluations
    found = {each.design["harm"]: (each.status, each.reason) for each in evaluations}
    wanted = {harm: (Status.FAILED, "took longer than 0.3 minutes"), "none": (Status.OK, "")}
    assert found == wanted


@pytest.mark.fault(63)
def test_settings_that_a_candidate_changes_are_set_back_in_process_too(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    evaluations = run(
        harmful("dtype", "none", "threads"), tmp_path, executor=InProcess()
    ).evaluations
    found = by_harm([*evaluations])
    assert {each.status for harm in ("dtype", "threads") for each in found[harm]} == {Status.FAILED}
    assert {each.status for each in found["none"]} == {Status.OK}
    assert torch.get_default_dtype() is torch.float32
    assert torch.get_num_threads() == threads


@pytest.mark.slow
def test_journals_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    make = partial(harmful, "none", "warning", "dtype", "sys.exit")
    journals = [
        run(make(), tmp_path / str(workers), executor=LocalProcesses(workers), source=make)
        for workers in (1, 2)
    ]
    assert facts(journals[0].evaluations) == facts(journals[1].evaluations)
