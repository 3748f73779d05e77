"""What the README says, done from a fresh copy of the project to the report of a run and an exported file."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICK = "--trials 2 --epochs 2 --finetune-epochs 1"
SHORTER = {"--trials 44": QUICK, "--trials 60": QUICK, "--id 12": "--id 0"}
LAST = "nas ledger digits.nas"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout"),
    pytest.mark.skipif(find_spec("optuna") is None, reason="needs the extra optuna"),
]


def commands(folder: Path) -> list[str]:
    """What `make demo` does once all is installed, and the commands of the README up to the last that needs
    no data of the reader's; shortened.
    """
    demo = re.findall(r"^\t\$\(BIN\)/(nas run .*)$", (folder / "Makefile").read_text(), re.M)[:1]
    page, end, _ = (folder / "README.md").read_text().partition(LAST)
    assert end
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", page + end + "\n```", re.M | re.S))
    lines = re.findall(r"^(?:\.venv/bin/)?(nas .*)$", blocks, re.M)
    told = "\n".join([*demo, *lines])
    for long, short in SHORTER.items():
        assert long in told
        told = told.replace(long, short)
    # A server, which ends when it is told to, has tests of its own.
    return [line for line in told.splitlines() if not line.startswith("nas board")]


def test_a_reader_of_the_readme_gets_a_report_and_a_file(tmp_path: Path) -> None:
    archive = ["git", "-C", str(ROOT), "archive", "--format=tar", "HEAD"]
    copied = subprocess.run(archive, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=copied, check=True)
    said = {}
    for line in commands(tmp_path):
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(line)],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        said[line] = done.stdout
    assert "Reproduction" in (tmp_path / "demo.html").read_text()
    assert (tmp_path / "digits.nas").stat().st_size <= 4096
    assert "accuracy" in said["nas score digits.nas --data digits"]
    assert "bytes" in said[LAST]
    for name in ("trials.csv", "study.db"):
        assert (tmp_path / name).stat().st_size > 0
