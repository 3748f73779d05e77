import json
from pathlib import Path

import pytest

from nas.runs import journal_format
from nas.runs.directory import RunDirectoryError
from nas.runs.journal import JOURNAL_NAME, open_journal, read_journal
from tests.nas.runs.journals import EXPERIMENT, checked, content, evaluation, header, recorded


def refused(out: Path, message: str) -> None:
    """Neither reading nor opening accepts the journal, and both leave it as it is."""
    before = content(out)
    with pytest.raises(RunDirectoryError) as caught:
        read_journal(out)
    assert message in str(caught.value)
    with pytest.raises(RunDirectoryError) as caught, open_journal(out, EXPERIMENT):
        pass
    assert message in str(caught.value)
    assert content(out) == before


@pytest.mark.fault(34)
def test_a_flipped_bit_anywhere_before_the_end_is_refused_with_its_offset(tmp_path: Path) -> None:
    recorded(tmp_path, 3)
    whole, path = content(tmp_path), tmp_path / JOURNAL_NAME
    starts = [0, *(index + 1 for index, byte in enumerate(whole) if byte == 10)]
    for position in range(len(whole) - 1):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position * 5 % 8)
        path.write_bytes(damaged)
        line = max(start for start in starts if start <= position)
        refused(tmp_path, f"{path} at byte {line} must be an undamaged line of the journal, but ")


@pytest.mark.fault(34)
def test_lost_swapped_and_repeated_lines_are_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 4)
    first, *lines = content(tmp_path).splitlines(keepends=True)
    for left in (
        lines[1:],
        lines[:1] + lines[2:],
        [lines[0], lines[2], lines[1], lines[3]],
        [lines[0], *lines],
    ):
        (tmp_path / JOURNAL_NAME).write_bytes(b"".join([first, *left]))
        refused(tmp_path, f"must hold the ids 0 … {len(left) - 1} in order, but does not")
    for left in (lines, [first, first, *lines]):
        (tmp_path / JOURNAL_NAME).write_bytes(b"".join(left))
        refused(tmp_path, JOURNAL_NAME)


def test_lines_that_no_journal_holds_are_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    whole = content(tmp_path)
    deep = 100_000
    for line in (
        b"\n",
        b"\0\0\0\n",
        b"[]\n",
        b"3\n",
        b"null\n",
        b'"record"\n',
        b"{}\n",
        b'{"record": {}}\n',
        b"\xff\xfe{\x00}\x00\n",
        b"[" * deep + b"\n",
        whole.splitlines()[1].replace(b"conv", b"co\xffv") + b"\n",
        b" " + whole.splitlines(keepends=True)[1],
        checked("[]"),
        checked("1"),
        checked('"text"'),
        checked("null"),
        checked('{"id": NaN}'),
        checked('{"id": -Infinity}'),
        checked('{"id": 1, "id": 1}'),
        checked('{"id":1}'),
        checked('{"id": 1e5}'),
        checked('{"id": ' + "9" * 5000 + "}"),
        checked('{"id": ' + "[" * deep + "]" * deep + "}"),
        checked('{"id": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}"),
    ):
        (tmp_path / JOURNAL_NAME).write_bytes(whole + line)
        refused(
            tmp_path,
            f"{tmp_path / JOURNAL_NAME} at byte {len(whole)} must be an undamaged line of the journal, but ",
        )


def test_evaluations_with_bad_fields_are_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 0)
    good, whole = journal_format.evaluation_to_json(evaluation(0)), content(tmp_path)
    for parts, message in (
        ({"status": "MAYBE"}, "'MAYBE' is not a valid Status"),
        ({"color": "blue"}, "color"),
        ({"history": [{"loss": 1.0}]}, "accuracy"),
        ({"history": [3]}, ""),
        ({"history": None}, ""),
        ({"genotype": 3}, ""),
        ({"design": ["conv"]}, ""),
        ({"metrics": [1.0]}, ""),
        ({"metrics": "text"}, ""),
        ({"metrics": {"accuracy": "high"}}, ""),
        ({"metrics": {"accuracy": None}}, ""),
    ):
        (tmp_path / JOURNAL_NAME).write_bytes(whole + checked(json.dumps({**good, **parts})))
        refused(tmp_path, "must hold evaluations of version 1, but one has a bad field: ")
        refused(tmp_path, message)
    for name in good.keys() - {"epochs", "history"}:
        (tmp_path / JOURNAL_NAME).write_bytes(
            whole + checked(json.dumps({key: good[key] for key in good if key != name}))
        )
        refused(tmp_path, name)


@pytest.mark.fault(37)
def test_journals_of_other_programs_and_later_versions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_NAME
    for parts, message in (
        (
            {"version": 2},
            f"{path} must be a 'compact-nas journal' of version 1 or older, but is 'compact-nas journal' version 2",
        ),
        ({"version": "1"}, "or older, but is 'compact-nas journal' version '1'"),
        ({"version": None}, "version None"),
        ({"format": "other"}, "but is 'other' version 1"),
        ({"experiment": None}, f"{path} must begin with an experiment, but begins with None"),
        ({"experiment": [1]}, f"{path} must begin with an experiment, but begins with [1]"),
    ):
        path.write_bytes(header(**parts))
        refused(tmp_path, message)
    path.write_bytes(checked(json.dumps(journal_format.evaluation_to_json(evaluation(0)))))
    refused(tmp_path, "but is None version None")


@pytest.mark.fault(37)
def test_journals_of_older_versions_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path, 2)
    monkeypatch.setattr(journal_format, "VERSION", journal_format.VERSION + 1)
    assert read_journal(tmp_path)[0]["version"] == 1
    assert recorded(tmp_path, 3) == [evaluation(id) for id in range(3)]


@pytest.mark.fault(44)
def test_headers_nested_deeper_than_python_recurses_are_refused(tmp_path: Path) -> None:
    for depth in (100, 300, 500, 700, 900, 5000):
        nested = '{"a": ' * depth + "1" + "}" * depth
        body = header(experiment=0)
        (tmp_path / JOURNAL_NAME).write_bytes(
            checked(json.dumps(json.loads(body)["record"]).replace("0}", nested + "}"))
        )
        with pytest.raises(
            RunDirectoryError,
            match=JOURNAL_NAME if depth > 900 else "must be resumed with the experiment",
        ):
            recorded(tmp_path, 1)
