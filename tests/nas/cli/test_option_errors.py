"""What is wrong with an option is said in one line, with what was perhaps meant."""

import doctest
from pathlib import Path
from typing import Literal

import pytest

from nas.cli import option_errors
from nas.cli.experiment_options import experiment_parser
from nas.experiment import Experiment

Names = Literal["random", "evolution"]


def made(
    trials: int = 3,
    rate: float = 0.1,
    strategy: Names = "random",
    teacher: bool = False,
    limit: int | None = None,
    size_bytes: int = 100,
    widths: tuple[int, ...] = (1,),
    label: str = "x",
    path: Path | None = None,
) -> Experiment:
    """Makes an experiment."""
    raise AssertionError((trials, rate, strategy, teacher, limit, size_bytes, widths, label, path))


WRONG = [
    (["--trials", "x"], "--trials must be a whole number, but got 'x'"),
    (["--trials", "1.5"], "--trials must be a whole number, but got '1.5'"),
    (["--rate", "fast"], "--rate must be a number, but got 'fast'"),
    (["--rate", "nan"], "--rate must be a number, but got 'nan'"),
    (
        ["--strategy", "evoluton"],
        "--strategy must be one of random, evolution, but got 'evoluton': did you mean evolution?",
    ),
    (["--strategy", "7"], "--strategy must be one of random, evolution, but got '7'"),
    (["--teacher", "maybe"], "--teacher must be true or false, but got 'maybe'"),
    (["--limit", "1e3"], "--limit must be a whole number or null, but got '1e3'"),
    (["--size-bytes", "4qq"], "a size must be a number of bytes such as 13250, 20kB or 20KiB"),
    (["--widths", "x"], "--widths must be a list in brackets, each a whole number, but got 'x'"),
    (["--retrain", "few"], "--retrain must be a whole number or null, but got 'few'"),
    (["--trails", "5"], "there is no option --trails: did you mean --trials?"),
    (["--rate"], "--rate"),
]


@pytest.mark.fault(42, 72)
@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_one_line_says_what_is_wrong(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        experiment_parser(made, "nas run made").parse_args(arguments)
    assert ended.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage == "usage: nas run made [--option value …]; --help lists the options"
    assert said in error
    assert "print_shtab" not in error


@pytest.mark.fault(43, 71)
def test_values_are_json_and_not_yaml() -> None:
    parser = experiment_parser(made, "nas run made")
    given = [
        "--label",
        "1:30",
        "--widths",
        "[1, 2]",
        "--limit",
        "null",
        "--rate",
        "1e-3",
        "--path",
        "a b",
    ]
    values = vars(parser.parse_args(given))
    assert (values["label"], values["widths"], values["limit"]) == ("1:30", (1, 2), None)
    assert (values["rate"], values["path"]) == (1e-3, Path("a b"))


def test_the_example_of_the_module() -> None:
    assert doctest.testmod(option_errors) == (0, 1)
