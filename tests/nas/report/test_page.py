"""What a page holds, however the run went."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nas import __version__
from nas.objective import Budget, Objective, Status, best
from nas.report import write_report
from nas.report.page import MOST_BYTES
from nas.runs.directory import FINAL_FOLDER, RETRAINED_FOLDER, RunDirectoryError, packed_path
from nas.runs.evaluation_file import write_evaluation
from nas.runs.final import FINAL_FILE
from nas.runs.origin import write_origin
from nas.runs.teacher_score import TEACHER_FILE
from tests.nas.report.runs import HOSTILE, OBJECTIVE, add_file, search, trial, write

SECTIONS = [
    "Summary",
    "Best so far",
    "Trade-offs",
    "Network",
    "Test data",
    "Importance of choices",
    "Trials",
    "Timeline",
    "Failures",
    "Reproduction",
]


class Page(HTMLParser):
    """What a browser would find: texts by the element that they are in, and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts = dict[str, list[str]]()
        self.attributes = list[tuple[str, str, str | None]]()
        self._open = list[str]()
        self.feed(html)
        self.close()
        assert self._open == []  # every element is closed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in {*self._open}:
            self.texts.setdefault(tag, []).append(data)

    def said(self, tag: str = "main") -> str:
        return "".join(self.texts.get(tag, []))

    @property
    def data(self) -> Any:
        return json.loads(self.texts["script"][0])


def page_of(*runs: Path) -> Page:
    target = runs[0].parent / "page.html"
    length = write_report(runs, target)
    content = target.read_bytes()
    assert length == len(content) <= MOST_BYTES
    return Page(content.decode())


def test_a_page_has_every_section_and_picture(tmp_path: Path) -> None:
    evaluations = search(40)
    run, leader = write(tmp_path / "run", evaluations), best(evaluations, OBJECTIVE)
    assert leader is not None
    add_file(run, leader.id)
    page = page_of(run)
    assert page.texts["h2"] == SECTIONS
    kinds = [chart["kind"] for chart in page.data["charts"]]
    assert kinds == ["curves", "front", "bars", "parallel", "timeline"]
    places = [value for _, name, value in page.attributes if name == "data-chart"]
    assert places == [str(index) for index in range(len(kinds))]
    assert page.texts["summary"].count("as a table") == len(kinds)
    assert "within the budget: size_bytes" in page.said()


def test_the_network_is_drawn_from_its_file(tmp_path: Path) -> None:
    evaluations = [trial(0, accuracy=0.75), trial(1)]
    run = write(tmp_path / "run", evaluations)
    packed = add_file(run, 0)
    page = page_of(run)
    boxes = page.said("ol")
    assert "conv 3×3, stride 2" in boxes
    assert "3 channels kept, weights of 8 bits" in boxes
    assert f"{len(packed):,} bytes" in page.said("p")
    (bars,) = (chart["bars"] for chart in page.data["charts"] if chart["kind"] == "bars")
    assert sum(size for _, _, size in bars) == len(packed)
    assert (
        "validation accuracy after the first phase of training, before the compressors0.2500"
        in page.said("table")
    )


def test_a_damaged_or_missing_file_is_said(tmp_path: Path) -> None:
    run = write(tmp_path / "run", search(4))
    assert "is not in the run directory" in page_of(run).said()
    packed = add_file(run, 2)
    for id in range(4):
        packed_path(run, id).write_bytes(packed[:-1] + b"?")
    assert "The packed file cannot be read" in page_of(run).said()


@pytest.mark.fault(60)
def test_names_and_reasons_stay_text(tmp_path: Path) -> None:
    design = {HOSTILE: HOSTILE, "width": 8}
    evaluations = [
        trial(id, accuracy=id / 20, design={**design, "width": id % 4}) for id in range(12)
    ]
    evaluations += [trial(12, Status.FAILED, reason=f"KeyError: {HOSTILE}")]
    run = write(tmp_path / HOSTILE.replace("/", "_"), evaluations, strategy=HOSTILE)
    page = page_of(run)
    assert len(page.texts["script"]) >= 3
    assert page.data["trials"][0]["choices"][0] == HOSTILE
    assert page.said("code") == f"KeyError: {HOSTILE}"
    assert HOSTILE in page.said("td")
    assert not any(name.startswith("on") for _, name, _ in page.attributes)


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    page = page_of(write(tmp_path / "run", search(20)))
    targets = [value for _, name, value in page.attributes if name in ("src", "href", "srcset")]
    assert targets
    assert all(value is not None and value.startswith("#section-") for value in targets)
    policy = [value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")]
    assert any(value is not None and "default-src 'none'" in value for value in policy)
    style = page.said("style")
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"\bfetch\(|XMLHttpRequest|\bimport\(", page.said("script"))


def test_the_network_to_ship_comes_before_that_of_the_search(tmp_path: Path) -> None:
    evaluations = [trial(0, accuracy=0.75), trial(1, accuracy=0.5)]
    run = write(tmp_path / "run", evaluations)
    assert "Found number 0, the best of the search: accuracy 0.7500" in page_of(run).said()
    (run / RETRAINED_FOLDER).mkdir()
    write_evaluation(run / RETRAINED_FOLDER / "00001.json", trial(1, accuracy=0.625))
    page = page_of(run)
    assert "Found number 1, the best when trained again: accuracy 0.6250" in page.said()
    assert "validation accuracy of the same design in the search0.5000" in page.said("table")
    (run / FINAL_FOLDER).mkdir()
    final = replace(trial(1), metrics={"size_bytes": 900.0, "test_accuracy": 0.875}, history=())
    write_evaluation(run / FINAL_FOLDER / FINAL_FILE, final)
    page = page_of(run)
    assert "Found the final network, number 1 trained on" in page.said()
    assert "test accuracy of the packed file0.8750" in page.said("table")


def test_a_run_without_candidates(tmp_path: Path) -> None:
    page = page_of(write(tmp_path / "run", []))
    assert page.texts["h2"] == SECTIONS
    assert "Nothing has been evaluated yet" in page.said()


def test_a_run_of_failures_alone(tmp_path: Path) -> None:
    failed = [trial(id, Status.FAILED, reason=f"ValueError: {id} rows") for id in range(9)]
    page = page_of(write(tmp_path / "run", failed))
    assert page.texts["h2"] == SECTIONS
    assert "Every candidate failed" in page.said()
    assert "ValueError: 0 rows" in page.said("code")
    assert [chart["kind"] for chart in page.data["charts"]] == ["curves", "timeline"]


def test_a_run_that_nothing_of_meets_the_budget(tmp_path: Path) -> None:
    over = [trial(id, Status.OVER_BUDGET, size=5000.0 - id) for id in range(3)]
    page = page_of(write(tmp_path / "run", over))
    assert "Nothing meets the budget; nearest is number 2: size_bytes 4998 > 4000" in page.said()


def test_several_runs_are_compared(tmp_path: Path) -> None:
    runs = [write(tmp_path / name, search(20)) for name in "ab"]
    page = page_of(*runs)
    assert page.texts["h2"][:2] == ["Comparison", "a: Summary"]
    assert page.texts["nav"] == ["Comparison", "a", "b"]
    curves = page.data["charts"][0]
    assert [series["name"] for series in curves["series"]] == ["a", "b"]
    assert [chart["run"] for chart in page.data["charts"] if chart["kind"] == "front"] == [0, 1]
    assert len(page.data["trials"]) == 2


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    runs = [write(tmp_path / name / "run", search(4)) for name in "ab"]
    assert page_of(*runs).texts["nav"][1:] == [str(run) for run in runs]


def test_objectives_have_their_own_axes(tmp_path: Path) -> None:
    objective = Objective(minimize=("params",), budget=Budget({"size_bytes": 4000.0}))
    page = page_of(write(tmp_path / "run", search(20), objective))
    drawn = [
        (c["x"], c["y"], c["limits"], c["line"])
        for c in page.data["charts"]
        if c["kind"] == "front"
    ]
    assert drawn == [
        ("params", "accuracy", {}, True),
        ("size_bytes", "accuracy", {"size_bytes": 4000.0}, False),
    ]


def test_a_long_search_in_a_large_space_fits_the_page(tmp_path: Path) -> None:
    names = [f"stage{index}.block.bits" for index in range(100)]
    evaluations = [
        trial(
            id,
            accuracy=id * 37 % 1009 / 1009,
            size=500.0 + id % 997,
            design=dict.fromkeys(names, 2 + id % 7),
        )
        for id in range(700)
    ]
    page = page_of(write(tmp_path / "run", evaluations))
    rows = page.data["trials"][0]["rows"]
    assert 100 < len(rows) < 700
    assert {*page.data["charts"][1]["front"]} <= {row[0] for row in rows}
    assert len(page.data["charts"][-1]["bars"]) <= 400


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    run = write(tmp_path / "run", search(4))
    with pytest.raises(ValueError, match="one run or several different ones"):
        write_report([run, tmp_path / "." / "run"], tmp_path / "page.html")
    with pytest.raises(RunDirectoryError, match="journal"):
        write_report([tmp_path], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_the_command_the_environment_and_the_teacher_are_told(tmp_path: Path) -> None:
    out = write(tmp_path / "run", search(8))
    write_origin(out, "nas run 'my <file>.py' --trials 8")
    teacher = {"accuracy": 0.9375, "params": 500, "float_bytes": 2000}
    (out / TEACHER_FILE).write_text(json.dumps(teacher))
    write_report([out], tmp_path / "page.html")
    shown = Page((tmp_path / "page.html").read_text())
    assert "nas run 'my <file>.py' --trials 8" in shown.said("pre")
    said = shown.said()
    assert f"compact-nas{__version__}" in said
    assert "validation accuracy of the teacher, in floats0.9375" in said
    assert "32-bit floats2,000" in said
