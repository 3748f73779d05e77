"""28 and 33: a disk that is full, and a process that may open few files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FULL = """
import json, os, sys
from pathlib import Path
from nas import durable
from nas.objective import Evaluation, Status
from nas.runs.journal import open_journal, read_journal

folder = Path(sys.argv[1])
ballast, out = folder / "ballast", folder / "run"
ballast.write_bytes(bytes(100_000))
facts = {"genotype": (0,), "status": Status.OK, "reason": "", "metrics": {}, "seconds": 0.0}
with open_journal(out, {}) as journal:
    try:
        for id in range(10**6):
            acknowledged = id
            journal.append(Evaluation(id=id, design={"op": "x" * 999}, **facts))
    except OSError as error:
        first = str(error)
    try:
        durable.write(out / "file", bytes(10**6))
    except OSError as error:
        second = str(error)
left = len(read_journal(out)[1])
files = sorted(path.name for path in out.iterdir())
ballast.unlink()
with open_journal(out, {}) as journal:
    journal.append(Evaluation(id=left, design={}, **facts))
print(json.dumps([acknowledged, left, len(read_journal(out)[1]), first, second, files]))
"""


@pytest.mark.fault(28)
def test_a_disk_that_is_full_stops_a_run_that_goes_on_when_it_has_room(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o size=256k none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted, "sh", str(tmp_path), sys.executable, FULL],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    if "Operation not permitted" in done.stderr or "must be superuser" in done.stderr:
        pytest.skip("no file system can be mounted here")
    acknowledged, left, after, first, second, files = json.loads(done.stdout)
    assert acknowledged == left == after - 1 > 0
    assert "No space left on device" in first
    assert "No space left on device" in second
    assert files == ["journal.jsonl"]


@pytest.mark.fault(33)
@pytest.mark.slow
def test_a_process_that_may_open_few_files_says_so_in_one_line(tmp_path: Path) -> None:
    command = f'ulimit -n 16; exec "{sys.executable}" -m nas run digits --trials 2 --epochs 1 --out "{tmp_path}/run"'
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode in (1, 2)
    assert "Too many open files" in done.stderr.splitlines()[-1]
