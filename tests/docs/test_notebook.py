"""The notebook of the guide, run from its first cell to its last."""

import os
from pathlib import Path
from typing import Any

import pytest

from nas.report.page import MOST_BYTES

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # those of its own libraries


def shown(cell: Any, kind: str) -> str:
    """What a cell gave, of one kind."""
    return "".join(output.get("data", {}).get(kind, "") for output in cell.outputs)


def test_every_cell_runs_and_shows_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat, nbclient = map(pytest.importorskip, ("nbformat", "nbclient"))
    pytest.importorskip("ipykernel")
    pytest.importorskip("pandas")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    notebook = nbformat.read(ROOT / "docs" / "guides" / "search.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # results are not kept
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=where).execute()
    choices, result, best, frame, answers, length = (
        cell for cell in notebook.cells if cell.cell_type == "code"
    )
    assert "<tr><th>choice</th>" in shown(choices, "text/html")
    assert "<th>test accuracy</th>" in shown(result, "text/html")
    assert "RunResult(OK 2" in shown(result, "text/plain")
    assert "<th>size_bytes</th>" in shown(best, "text/html")
    assert "dataframe" in shown(frame, "text/html")
    assert shown(answers, "text/plain").count("tensor(") == 2
    assert 0 < int(shown(length, "text/plain")) <= MOST_BYTES
    assert (tmp_path / "report.html").is_file()
