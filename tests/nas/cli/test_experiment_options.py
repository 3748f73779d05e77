import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from torch import nn

from experiments.breast_cancer import breast_cancer
from experiments.digits import digits
from nas.cli.command_parser import shipped_experiments
from nas.cli.experiment_options import experiment_parser, load_function, parse_experiment
from nas.experiment import Experiment

received: dict[str, Any] = {}


def search(
    strategy: Literal["random", "evolution"] = "random",
    trials: int = 60,
    size_bytes: int | None = 4096,
    rate: float = 0.5,
    teacher: bool = False,
    widths: tuple[int, ...] = (1, 2),
    data: Path = Path("data"),
) -> Experiment:
    """Searches.

    Args:
        size_bytes: most bytes
    """
    received.clear()
    received.update(locals())
    return None  # type: ignore[return-value]


def values(*arguments: str) -> dict[str, Any]:
    _, out, _ = parse_experiment(search, arguments, "nas run search.py")
    return {**received, "out": out}


DEFAULTS = {
    "strategy": "random",
    "trials": 60,
    "size_bytes": 4096,
    "rate": 0.5,
    "teacher": False,
    "widths": (1, 2),
} | {
    "data": Path("data"),
    "out": Path("runs/search"),
}


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ([], {}),
        (["--trials", "5"], {"trials": 5}),
        (["--size-bytes=7"], {"size_bytes": 7}),
        (["--size-bytes", "20kb"], {"size_bytes": 20_000}),
        (["--size-bytes", "2KiB"], {"size_bytes": 2048}),
        (["--size-bytes", "null"], {"size_bytes": None}),
        (["--rate", "1e-3"], {"rate": 0.001}),
        (["--rate", "2"], {"rate": 2.0}),
        (["--teacher", "true"], {"teacher": True}),
        (["--teacher"], {"teacher": True}),
        (["--teacher", "--size-bytes", "7"], {"teacher": True, "size_bytes": 7}),
        (["--teacher", "false"], {"teacher": False}),
        (["--strategy", "evolution"], {"strategy": "evolution"}),
        (["--widths", "[4, 8]"], {"widths": (4, 8)}),
        (["--data", "no"], {"data": Path("no")}),
        (["--out", "x/y"], {"out": Path("x/y")}),
    ],
)
def test_options_are_typed_values(arguments: list[str], changed: dict[str, Any]) -> None:
    assert values(*arguments) == DEFAULTS | changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trails", "5"], "there is no option --trails: did you mean --trials?"),
        (["--size_bytes", "5"], "there is no option --size_bytes: did you mean --size-bytes?"),
        (["--tri", "5"], "there is no option --tri"),
        (["--zzz"], "there is no option --zzz, only"),
        (["--trials", "1.5"], "trials"),
        (["--trials", "1k"], "trials"),
        (["--size-bytes", "many"], "a size must be a number of bytes such as 13250"),
        (["--trials", "many"], "trials"),
        (["--teacher", "perhaps"], "teacher"),
        (["--strategy", "luck"], "strategy"),
    ],
)
def test_wrong_options_end_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        values(*arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_sets_values_and_the_command_line_wins(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('trials = 5\nsize-bytes = 100\nrate = 1e-3\nstrategy = "evolution"\n')
    changed = {"trials": 7, "size_bytes": 100, "rate": 0.001, "strategy": "evolution"}
    assert values("--config", str(config), "--trials", "7") == DEFAULTS | changed


@pytest.mark.fault(42, 43, 44, 53)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trails = 5", "has no option 'trails': did you mean trials?"),
        ("trials = 1.5", "trials"),
        ("trials = 5\ntrials = 6", "must be a TOML file"),
        ("teacher = no", "must be a TOML file"),
        ('strategy = "strategies.random_search.RandomSearch"', "strategy"),
        ('strategy = {class_path = "os.system"}', "strategy"),
        ('config = "other.toml"', "has no option 'config'"),
        ("trials = " + "[" * 5000, "must be a TOML file"),
    ],
)
def test_wrong_files_end_with_status_2(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(text)
    with pytest.raises(SystemExit) as end:
        values("--config", str(config))
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        values("--config", str(tmp_path / "none.toml"))
    assert end.value.code == 2
    assert "none.toml must be a TOML file" in capsys.readouterr().err


def test_the_help_has_the_texts_of_the_docstring() -> None:
    text = experiment_parser(search, "nas run search.py").format_help()
    assert "Searches." in text
    assert "most bytes" in text


@pytest.mark.fault(53)
def test_a_parameter_that_could_name_code_is_refused() -> None:
    def with_module(model: nn.Module) -> Experiment: ...  # type: ignore[empty-body]
    def with_any(model: Any) -> Experiment: ...  # type: ignore[empty-body]
    def with_optional(model: Callable[[], int] | None = None) -> Experiment: ...  # type: ignore[empty-body]

    for function in (with_module, with_any, with_optional):
        with pytest.raises(
            ValueError, match="must be numbers, strings, booleans or paths, but 'model' is"
        ):
            experiment_parser(function, "p")


def test_every_experiment_can_train_its_best_again(tiny: Callable[..., Experiment]) -> None:
    made = tiny(retrain=2)

    def own(trials: int = 6) -> Experiment:
        return dataclasses.replace(made, trials=trials)

    for arguments, expected in (
        ([], (2, None)),
        (["--retrain", "0", "--final-epochs", "60"], (0, 60)),
        (["--final-epochs", "5"], (2, 5)),
    ):
        experiment, _, _ = parse_experiment(own, arguments, "nas run own.py")
        assert (experiment.retrain, experiment.final_epochs) == expected


def test_a_parameter_with_the_name_of_an_option_of_all_is_refused() -> None:
    def own(retrain: int = 3) -> Experiment: ...  # type: ignore[empty-body]

    with pytest.raises(
        ValueError, match=r"not be called as other options, .* but one is 'retrain'"
    ):
        experiment_parser(own, "p")


EXPERIMENT = "from nas.experiment import Experiment\ndef {}() -> Experiment: ...\n"


def test_the_function_of_a_file_is_found(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text(EXPERIMENT.format("first") + "def helper() -> int: ...\n")
    two.write_text(EXPERIMENT.format("first") + EXPERIMENT.format("second"))
    assert load_function(str(one)).__name__ == "first"
    assert load_function(f"{two}:second").__name__ == "second"


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        (EXPERIMENT.format("a") + EXPERIMENT.format("b"), "", r"it defines \['a', 'b'\]"),
        ("from experiments.digits import digits\n", "", r"it defines \[\]"),
        (EXPERIMENT.format("a"), ":b", r"it defines \['a'\]"),
    ],
)
def test_a_file_without_one_clear_function_is_refused(
    tmp_path: Path, text: str, wanted: str, message: str
) -> None:
    (tmp_path / "f.py").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_function(f"{tmp_path / 'f.py'}{wanted}")


def test_a_file_may_say_bytes_with_a_unit(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('size-bytes = "2kB"\n')
    assert values("--config", str(config)) == DEFAULTS | {"size_bytes": 2000}


def test_experiments_that_ship_are_found_by_name() -> None:
    assert load_function("digits") is digits
    assert load_function("breast_cancer") is breast_cancer
    assert shipped_experiments() == (
        *("breast_cancer", "compression", "digits", "images", "series", "table"),
    )


def test_a_missing_experiment_is_refused(tmp_path: Path) -> None:
    for source in (str(tmp_path / "none.py"), str(tmp_path), "experiments.digits"):
        with pytest.raises(ValueError, match="an experiment must be a Python file"):
            load_function(source)


@pytest.mark.parametrize("name", shipped_experiments())
def test_every_experiment_that_ships_is_found_by_its_name(name: str) -> None:
    assert load_function(name).__name__ == name
