import math
from collections.abc import Mapping

import pytest

from nas.data import Task
from nas.evaluation.coded_size import (
    ANY_SIZE,
    FIRST_COUNT,
    FIRST_ERROR,
    FURTHEST,
    REST,
    SizePrediction,
    coded_share,
    compare,
    expected_parts,
    found_parts,
    learnt,
)
from nas.file_length import FileLength, rms_error
from nas.objective import Budget, Evaluation, Status
from nas.packed import flash_bytes
from nas.strategy import Proposal
from tests.nas.evaluators import DEEP, evaluator

PARTS = {"4": 600.0, "8": 300.0, REST: 100.0}


def evaluated(id: int, logs: Mapping[str, float], error: float = 0.0) -> Evaluation:
    length = FileLength(1000.0 * math.exp(-error), 1000, logs)
    return Evaluation(
        id=id,
        genotype=(),
        design={},
        status=Status.OK,
        reason="",
        metrics={},
        seconds=0.0,
        file_length=length,
    )


def test_a_prediction_learns_from_files() -> None:
    first = SizePrediction().predict(PARTS)
    assert first == 1000.0
    log = math.log(0.8)
    errors = []
    for count in (1, 4, 100):
        found = learnt(evaluated(id, {"4": log}, log) for id in range(count))
        assert found.corrections == pytest.approx({"4": log * count / (FIRST_COUNT + count)})
        assert found.predict(PARTS) == round(400 + 600 * math.exp(found.corrections["4"]))
        errors.append(found.error)
    assert found.predict(PARTS) == pytest.approx(880.0, rel=0.01)
    assert FIRST_ERROR < errors[0] < errors[1] < errors[2] < abs(log)


def test_the_error_falls_to_that_of_the_files() -> None:
    found = learnt(evaluated(id, {}, 0.001 * (-1) ** id) for id in range(1000))
    assert found.error == pytest.approx(
        math.hypot(0.001, FIRST_ERROR * math.sqrt(4 / 1000)), rel=0.01
    )


def test_one_odd_file_counts_no_more_than_the_furthest() -> None:
    odd = learnt([evaluated(0, {"4": -5.0})])
    assert odd == learnt([evaluated(0, {"4": -FURTHEST})])


def test_nothing_is_learnt_without_files() -> None:
    assert learnt([]) == SizePrediction()


def test_only_what_exceeds_a_limit_by_more_than_the_error_is_refused() -> None:
    budget, prediction = Budget({"size_bytes": 1000.0, "macs": 5.0}), SizePrediction(error=0.1)
    highest = 1000.0 * math.exp(0.1)
    assert prediction.broken(budget, {"size_bytes": highest * 0.999, "macs": 5.0}) == ""
    reason = prediction.broken(budget, {"size_bytes": 1110.0, "macs": 5.0})
    assert reason == "size_bytes 1110 > 1000 (size_bytes is predicted, with an error of 10.0%)"
    assert prediction.broken(budget, {"size_bytes": highest * 0.999, "macs": 6.0}) == "macs 6 > 5"
    assert ANY_SIZE.broken(budget, {"size_bytes": 1e9, "macs": 5.0}) == ""


def test_larger_layers_of_fewer_bits_are_saved_more() -> None:
    for bits in range(1, 9):
        shares = [coded_share(bits, count) for count in (1, 100, 1000, 4000, 10**6)]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] == 1.0
        assert 0.5 < shares[-1] == shares[-2]
    assert coded_share(2, 4000) < coded_share(4, 4000) < coded_share(8, 4000) < 1


def test_the_parts_of_a_file_sum_to_its_length(tiny_task: Task) -> None:
    candidate = evaluator(tiny_task)
    program = candidate.program(DEEP)
    _, trained = candidate(0, Proposal(DEEP))
    assert trained is not None
    found, expected = found_parts(trained.packed), expected_parts(program)
    assert sum(found.values()) == len(trained.packed)
    assert expected.keys() == found.keys() == {"4", "8", REST}
    assert sum(expected.values()) < flash_bytes(program)
    length = compare(200.0, expected, trained.packed)
    assert (length.predicted, length.found) == (200.0, len(trained.packed))
    for name, log in length.parts.items():
        assert expected[name] * math.exp(log) == pytest.approx(found[name])
    assert rms_error([length]) == pytest.approx(abs(math.log(len(trained.packed) / 200)))
    assert math.isnan(rms_error([]))
