import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nas.objective import Objective, Status
from nas.runs.journal import open_journal
from nas.runs.parquet_table import write_parquet
from tests.nas.runs.journals import evaluation

FAILED = replace(
    evaluation(1),
    status=Status.FAILED,
    metrics={},
    reason="why\ud800",
    design={"op": "skip", "kernel": [3, 3], "width": 2.5, "mixed": True},  # type: ignore[dict-item]
    epochs=None,
)


def test_columns_have_types_and_missing_cells_are_null(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    mixed = replace(evaluation(0), design={**evaluation(0).design, "mixed": 3})
    with open_journal(tmp_path, {"objective": Objective().to_json()}) as journal:
        for each in (mixed, FAILED):
            journal.append(each)
    target = tmp_path / "trials.parquet"
    assert write_parquet(tmp_path, target) == 2
    table = parquet.read_table(target)
    first, failed = table.to_pylist()
    assert first["accuracy"] == mixed.metrics["accuracy"]
    assert (failed["accuracy"], failed["epochs"], failed["design.bias"]) == (None, None, None)
    assert (failed["reason"], failed["design.kernel"]) == ("why?", "[3, 3]")
    assert (first["design.mixed"], failed["design.mixed"]) == ("3", "True")
    types = {field.name: str(field.type) for field in table.schema}
    assert {name: types[name] for name in ("number", "status", "accuracy", "design.width")} == {
        "number": "int64",
        "status": "string",
        "accuracy": "double",
        "design.width": "double",
    }
    assert (types["design.bias"], types["design.op"]) == ("bool", "string")


def test_a_run_without_candidates_is_an_empty_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with open_journal(tmp_path, {"objective": Objective().to_json()}):
        pass
    assert write_parquet(tmp_path, tmp_path / "trials.parquet") == 0


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"pip install 'compact-nas\[parquet\]'"):
        write_parquet(tmp_path, tmp_path / "trials.parquet")
