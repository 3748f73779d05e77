import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nas.objective import Evaluation, Status
from nas.runs import journal_format
from nas.runs.journal import open_journal, read_journal
from tests.nas.runs.journals import EXPERIMENT, evaluation


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    expected = [evaluation(id) for id in range(3)]
    expected.append(
        Evaluation(
            id=3,
            genotype=(1,),
            design={},
            status=Status.FAILED,
            reason="ValueError: ß\u2028\r\n\0",
            metrics={},
            seconds=1e-9,
        )
    )
    expected.append(
        Evaluation(
            id=4,
            genotype=(2,),
            design={},
            status=Status.OVER_BUDGET,
            reason="size_bytes 9 > 4",
            metrics={"size_bytes": 9.0},
            seconds=1e9,
            epochs=None,
        )
    )
    with open_journal(tmp_path / "deep" / "er", EXPERIMENT) as opened:
        for item in expected:
            opened.append(item)
            assert (
                opened.evaluations
                == read_journal(tmp_path / "deep" / "er")[1]
                == expected[: item.id + 1]
            )
    header, found = read_journal(tmp_path / "deep" / "er")
    assert found == expected
    assert header == {"format": "compact-nas journal", "version": 1, "experiment": EXPERIMENT}
    with open_journal(tmp_path / "deep" / "er", EXPERIMENT) as again:
        assert again.evaluations == expected


JSON = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(st.text(), JSON),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    st.text(),
)
def test_every_name_text_and_number_survives(
    design: dict[str, Any], metrics: dict[str, float], reason: str
) -> None:
    before = replace(evaluation(0), design=design, metrics=metrics, reason=reason)
    after = journal_format.evaluation_from_json(
        json.loads(json.dumps(journal_format.evaluation_to_json(before)))
    )
    assert after == before
    assert [type(option) for option in after.design.values()] == [
        type(option) for option in design.values()
    ]


def test_options_that_json_lacks_are_written_as_their_repr() -> None:
    design = {"kernel": (3, (5, "same")), "set": frozenset({1}), "type": complex(1, 2)}
    design_as_json = journal_format.evaluation_to_json(replace(evaluation(0), design=design))[
        "design"
    ]
    assert design_as_json == {"kernel": [3, [5, "same"]], "set": "frozenset({1})", "type": "(1+2j)"}
    read_again = journal_format.evaluation_from_json(
        json.loads(
            json.dumps(journal_format.evaluation_to_json(replace(evaluation(0), design=design)))
        )
    )
    assert journal_format.evaluation_to_json(read_again)["design"] == design_as_json
