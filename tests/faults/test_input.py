"""43, 44, 71, 72 and 78: values and files of options that are not what they should be."""

import os
from pathlib import Path
from typing import Any, Literal

import pytest

from nas.byte_count import byte_count
from nas.cli.experiment_options import parse_experiment
from nas.experiment import Experiment
from nas.objective import Budget
from nas.training.recipe import Recipe

received: dict[str, Any] = {}


def made(
    trials: int = 3,
    rate: float = 0.5,
    limit: float | None = None,
    teacher: bool = False,
    widths: tuple[int, ...] = (1, 2),
    size_bytes: int = 100,
    label: str = "x",
    strategy: Literal["random", "grid"] = "random",
) -> Experiment:
    """Makes an experiment."""
    received.clear()
    received.update(locals())
    return None  # type: ignore[return-value]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        parse_experiment(made, arguments, "nas run made")
    assert ended.value.code == 2
    usage, said = capsys.readouterr().err.splitlines()
    assert usage == "usage: nas run made [--option value …]; --help lists the options"
    assert len(said) < 400
    return said


HUGE = "1" + "0" * 400
ODD = [
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1e400",
    HUGE,
    "1:30",
    "0x10",
    "1_000",
    "*a",
    "!!int 3",
]
ODD += ["[" * 5000, "9" * 5000, "{}", "yes", "", "\ud800"]


@pytest.mark.fault(43, 44, 71, 72)
@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("option", ["trials", "rate", "limit", "teacher", "widths", "size-bytes"])
def test_odd_values_are_refused_in_one_line(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused([f"--{option}={value}"], capsys)


@pytest.mark.fault(44, 71)
@pytest.mark.parametrize("widths", ["[&a 1, *a]", "[1, .inf]", "[0x10]", "- 1", "[1, 1e400]"])
def test_lists_are_no_yaml(widths: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(["--widths", widths], capsys).startswith("error: --widths must be a list in")


@pytest.mark.fault(71)
@pytest.mark.parametrize("text", ["1:30", "010", "no", "null", "*a", "[1, 2]", "1e3", "~"])
def test_texts_are_texts(text: str) -> None:
    parse_experiment(made, ["--label", text], "p")
    assert received["label"] == text


@pytest.mark.fault(71, 72)
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('trials = "1:30"', "--trials must be a whole number, but got '1:30'"),
        ("rate = nan", "--rate must be a number, but got 'nan'"),
        ("limit = inf", "--limit must be a number or null, but got 'inf'"),
        (f"trials = {HUGE}", "--trials must be a whole number, but got '1000"),
        ("widths = [1, inf]", "--widths must be a list in brackets"),
        ("trials = 010", "must be a TOML file"),
        ("label = &a", "must be a TOML file"),
    ],
)
def test_files_have_the_same_values(
    line: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(line)
    assert said in refused(["--config", str(tmp_path / "c.toml")], capsys)


@pytest.mark.fault(44, 78)
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("endless", "must be a file, but is a device"),
        ("pipe", "must be a file, but is a pipe"),
        ("folder", "must be a file, but is a folder"),
        ("long", "must have at most 1,048,576 bytes, but has more"),
        ("binary", "must be a TOML file"),
    ],
)
def test_a_file_of_options_is_a_file(
    kind: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    if kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"#" * 2**21 if kind == "long" else b"\xff\0")
    assert said in refused(["--config", str(path)], capsys)


@pytest.mark.fault(72)
def test_settings_are_finite() -> None:
    for name in ("lr", "finetune_lr", "weight_decay", "rate_penalty", "gain_penalty", "ema"):
        for value in (float("inf"), float("nan"), 10**400):
            setting: dict[str, Any] = {name: value}
            with pytest.raises(ValueError, match=r"must|learning rates"):
                Recipe(**setting)
    with pytest.raises(ValueError, match="must be a positive number"):
        Budget({"macs": 10**400})
    with pytest.raises(ValueError, match="a size must be below"):
        byte_count(HUGE)
