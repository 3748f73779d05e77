import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.digits import DEFAULTS, digits
from nas import __version__
from nas.cli.main import COMMANDS, main
from nas.measure import TableDevice
from nas.measure.latency_table import read_latency_table
from nas.packed import pack
from nas.program.operations import Flatten
from nas.program.program import Program
from nas.program.tensors import TensorType
from nas.runs.formats import FORMATS
from nas.runs.journal import read_journal
from tests.nas.cli.commands import ROOT, start

FAST = ("--space", "mlp", "--epochs", "1", "--finetune-epochs", "1")

HERE = ("--executor", "in-process")


def ended(arguments: list[str]) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


def genotypes(out: Path) -> list[tuple[tuple[int, ...], float]]:
    return [(e.genotype, e.metrics.get("accuracy", -1.0)) for e in read_journal(out)[1]]


def test_run_and_show_and_the_script_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        *FAST,
        "--strategy",
        "evolution",
        "--trials",
        "3",
        "--size-bytes",
        "3000",
        "--seed",
        "1",
    )
    script = start("-m", "experiments.digits", *options, "--out", str(tmp_path / "b"))
    main(["run", str(ROOT / "experiments" / "digits.py"), *options, "--out", str(tmp_path / "a")])
    text = capsys.readouterr().out
    assert "3/3 trials: best accuracy" in text
    assert text.count("test accuracy of the best") == 1
    assert script.wait() == 0
    assert genotypes(tmp_path / "a") == genotypes(tmp_path / "b")

    main(["show", str(tmp_path / "a"), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {
        "best",
        "pareto",
        "hypervolume",
        "counts",
        "size_prediction",
        "test_accuracy",
    }
    assert set(shown["best"]) == {"id", "design", "status", "metrics"}
    assert shown["best"]["status"] == "OK"
    assert 0.0 <= shown["best"]["metrics"]["accuracy"] <= 1.0
    assert shown["best"]["metrics"]["size_bytes"] <= 3000
    assert shown["best"] in shown["pareto"]
    assert shown["counts"]["OK"] == 3
    main(["show", str(tmp_path / "a")])
    assert "Pareto front" in capsys.readouterr().out


def test_show_tells_the_sensitivity_of_the_layers_of_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = str(ROOT / "experiments" / "digits.py"), str(tmp_path / "a")
    main(["run", file, *FAST, *HERE, "--trials", "1", "--out", out])
    capsys.readouterr()
    main(["show", out, "--json", "--sensitivity", file, *FAST])
    shown = json.loads(capsys.readouterr().out)
    bits = {
        name: option for name, option in shown["best"]["design"].items() if name.endswith(".bits")
    }
    assert [layer["bits"] for layer in shown["sensitivity"].values()] == [*bits.values()]
    main(["show", out, "--sensitivity", file, *FAST])
    assert "when one layer has other bits" in capsys.readouterr().out
    for arguments, message in (
        (
            ["--epochs", "1"],
            "there is no option --epochs; options of an experiment need --sensitivity",
        ),
        (["--sensitivity", "none.py"], "an experiment must be a Python file"),
        (
            ["--sensitivity", file, "--space", "conv"],
            "must be trained by the experiment that found it, but space was",
        ),
        (
            ["--sensitivity", file, "--epoch", "1"],
            "there is no option --epoch: did you mean --epochs?",
        ),
    ):
        assert ended(["show", out, *arguments]) == 2
        assert message in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"compact-nas {__version__}\n"


def test_the_help_names_every_command_and_format(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f" nas {name} {command.arguments}".rstrip() + "\n" in text
    for name, kind in FORMATS.items():
        assert f" {name:<10} {kind.help}\n" in f"{text}\n"
    for name in COMMANDS:
        assert ended([name, "--help"]) == 0
        assert f"usage: nas {name} " in capsys.readouterr().out


def test_the_ledger_does_not_wait_for_torch(tmp_path: Path) -> None:
    tensors = TensorType((3,), 1.0, 0), TensorType((3,), 1.0, 0)
    (tmp_path / "c.nas").write_bytes(pack(Program(tensors, (Flatten("flatten", (0,)),))))
    code = "import sys; from nas.cli.main import main; main(['ledger', sys.argv[1]]); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, str(tmp_path / "c.nas")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    *_, total, loaded = done.stdout.splitlines()
    assert total.split() == [str((tmp_path / "c.nas").stat().st_size), "in", "all"]
    assert loaded == "False"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "  nas run EXPERIMENT"),
        (["walk"], "usage: nas COMMAND"),
        (["shw"], "there is no command shw: did you mean show?"),
        (["run"], "usage: nas run"),
        (["run", "none.py"], "an experiment must be a Python file"),
        (["show", "nowhere"], "a run directory must hold journal.jsonl, but nowhere does not"),
        (["show"], "required: directory"),
    ],
)
def test_what_cannot_be_done_is_refused_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.fault(49)
def test_a_budget_that_nothing_meets_tells_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "impossible.py").write_text(
        "from dataclasses import replace\n"
        "from experiments.digits import DEFAULTS, digits\n"
        "from nas.experiment import Experiment\n"
        "def impossible() -> Experiment:\n"
        "    return replace(digits(replace(DEFAULTS, strategy='random', size_bytes=100), 'mlp'), patience=40)\n"
    )
    command = ["run", str(tmp_path / "impossible.py"), "--out", str(tmp_path / "out"), *HERE]
    assert ended(command) == 2
    sizes = [e.metrics["size_bytes"] for e in read_journal(tmp_path / "out")[1]]
    assert (
        f"nothing meets the budget; nearest: number {sizes.index(min(sizes))}, size_bytes {min(sizes):.0f}"
        in capsys.readouterr().out
    )


@pytest.mark.fault(19, 20)
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_signals_end_a_run_that_can_be_resumed(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    # A shell has what it puts into the background ignore interrupts, and so all that is started
    # from there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(
        "-m",
        "nas",
        "run",
        "experiments/digits.py",
        *FAST,
        "--trials",
        "500",
        "--out",
        str(tmp_path / "out"),
    )
    signal.signal(signal.SIGINT, before)
    journal = tmp_path / "out" / "journal.jsonl"
    while process.poll() is None and not (
        journal.exists() and journal.read_bytes().count(b"\n") > 2
    ):
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(60) == status
    assert len(read_journal(tmp_path / "out")[1]) >= 2


def test_a_profile_is_a_table_that_a_search_can_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "host.json"
    main(
        [
            "profile",
            str(ROOT / "experiments" / "digits.py"),
            "--table",
            str(table),
            "--designs",
            "1",
            "--space",
            "mlp",
        ]
    )
    known = read_latency_table(table)
    assert (
        f"{table}: {len(known.seconds)} operations of 1 designs on {known.host}"
        in capsys.readouterr().out
    )
    device = digits(replace(DEFAULTS, target=str(table)), "mlp").device
    assert isinstance(device, TableDevice)
    assert (device.name, device.table) == ("host", known)
    arguments = [
        "profile",
        str(ROOT / "experiments" / "digits.py"),
        "--table",
        str(table),
        "--designs",
        "0",
    ]
    assert ended(arguments) == 2
    assert "there must be at least 1 design to profile, but got 0" in capsys.readouterr().err
