from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from nas.cli.experiment_options import experiment_parser, parse_experiment
from nas.cli.parameter_options import options_of
from nas.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a network.

    Args:
        size_bytes: most bytes
    """

    size_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.size_bytes == 13:
            raise ValueError("size_bytes must be another number than 13")


@dataclass(frozen=True, kw_only=True)
class Shared(Sizes):
    """What is shared.

    Args:
        teacher: whether it is taught
    """

    strategy: Literal["random", "grid"] = "random"
    teacher: bool = False


received: list[Shared] = []


def own(data: str, shared: Shared = Shared(size_bytes=100), deep: bool = False) -> Experiment:
    """Searches. It takes a minute.

    Twice.

    Args:
        data: a file
    """
    received[:] = [shared]
    return None  # type: ignore[return-value]


def shared(*arguments: str) -> Shared:
    parse_experiment(own, ["--data", "x", *arguments], "nas run own.py")
    return received[0]


def test_fields_are_options_with_the_defaults_of_the_parameter(tmp_path: Path) -> None:
    assert shared() == Shared(size_bytes=100)
    given = shared("--size-bytes", "2kB", "--teacher", "--strategy", "grid", "--deep")
    assert given == Shared(size_bytes=2000, teacher=True, strategy="grid")
    (tmp_path / "c.toml").write_text('size-bytes = 7\nstrategy = "grid"\n')
    found = shared("--config", str(tmp_path / "c.toml"), "--strategy", "random")
    assert found == Shared(size_bytes=7)


def test_what_has_no_default_may_stand_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text('data = "x"\n')
    parse_experiment(own, ["--config", str(tmp_path / "c.toml"), "--size-bytes", "9"], "p")
    assert received[0] == Shared(size_bytes=9)
    with pytest.raises(SystemExit):
        parse_experiment(own, [], "p")
    assert "--data must be stated, but is not" in capsys.readouterr().err


def test_options_have_the_types_and_defaults_of_parameters_and_fields() -> None:
    found = options_of(own)
    assert found["deep"] == (bool, False)
    assert found["size_bytes"] == (int | None, 100)
    assert found["strategy"] == (Literal["random", "grid"], "random")
    assert found["data"][0] is str


def test_each_class_is_a_group_of_the_help() -> None:
    text = " ".join(experiment_parser(own, "nas run own.py").format_help().split())
    assert "Searches. It takes a minute. Twice." in text
    parts = text.split("of this experiment: ")[1]
    assert parts.index("--data") < parts.index("--deep") < parts.index("what is shared: ")
    assert parts.index("--strategy") < parts.index("whether it is taught (default: False)")
    assert parts.index("sizes of a network: ") < parts.index("most bytes (default: 100)")


def test_a_wrong_value_of_a_field_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        shared("--strategy", "gird")
    assert "--strategy must be one of random, grid, but got 'gird': did you mean grid?" in (
        capsys.readouterr().err
    )
    with pytest.raises(ValueError, match="another number than 13"):
        shared("--size-bytes", "13")


def test_a_field_without_a_default_must_be_stated(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Needed:
        """What is needed."""

        rate: float

    def needy(needed: Needed) -> Experiment:
        assert needed.rate == 0.5
        return None  # type: ignore[return-value]

    needy.__annotations__["needed"] = Needed
    parse_experiment(needy, ["--rate", "0.5"], "p")
    with pytest.raises(SystemExit):
        parse_experiment(needy, [], "p")
    assert "--rate must be stated, but is not" in capsys.readouterr().err


def test_names_that_are_taken_and_types_of_code_are_refused() -> None:
    @dataclass(frozen=True)
    class Code:
        """Code."""

        hook: Any = None

    def twice(shared: Shared, size_bytes: int = 3) -> Experiment: ...  # type: ignore[empty-body]
    def coded(code: Code) -> Experiment: ...  # type: ignore[empty-body]

    coded.__annotations__["code"] = Code
    with pytest.raises(ValueError, match=r"not be called as other options, .*'size_bytes'"):
        experiment_parser(twice, "p")
    with pytest.raises(ValueError, match="must be numbers, strings, booleans or paths, but 'hook'"):
        experiment_parser(coded, "p")
