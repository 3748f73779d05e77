"""52 to 60, 68 to 70, 77 and 79: files and paths that mean harm. Where code could run, it would make a
canary.
"""

import os
import socket
import stat
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nas.cli.main import main
from nas.data import DataError, read_npz
from nas.objective import Evaluation, Status
from nas.packed import ArtifactError, unpack
from nas.program.demand import MOST_BYTES, sample_bytes, samples_at_a_time
from nas.regular_file import check_target, read_regular
from nas.runs.directory import RunDirectoryError, packed_path, weights_path
from nas.runs.export import export
from nas.runs.journal import open_journal
from nas.runs.run import run
from nas.runs.trial_table import write_trial_table
from nas.training.given_network import load_weights
from tests.nas.packed.malformed_files import FLATTEN, chain
from tests.nas.runs.experiments import Make


def ended(*arguments: str) -> object:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


@pytest.mark.fault(52, 53)
@pytest.mark.parametrize(
    "text",
    [
        "trials: !!python/object/apply:os.system ['touch canary']\n",
        'trials = 1\nspace = {class_path = "os.system", init_args = {command = "touch canary"}}\n',
        'strategy = "os.system"\n',
    ],
)
def test_a_file_of_options_runs_no_code(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(text)
    assert ended("run", "digits", "--config", "c.toml") == 2
    assert [each.name for each in tmp_path.iterdir()] == ["c.toml"]


@pytest.mark.fault(54)
@pytest.mark.parametrize("out", ["x\\u0000y", "x" * 300])
def test_a_run_needs_a_name_that_a_folder_can_have(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(f'out = "{out}"\n')
    assert ended("run", "digits", "--executor", "in-process", "--config", "c.toml") == 2
    assert [each.name for each in tmp_path.iterdir()] == ["c.toml"]


@pytest.mark.fault(55)
def test_archives_are_not_unpacked(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    arrays: dict[str, Any] = {"../canary": np.zeros(2), "inputs": np.zeros((2, 3))}
    np.savez(inner / "a.npz", labels=np.arange(2), **arrays)
    assert read_npz(inner / "a.npz", "inputs", "labels").inputs.shape == (2, 3)
    assert [each.name for each in tmp_path.iterdir()] == ["inner"]


@pytest.mark.fault(77)
@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_archives_of_other_methods_are_refused(method: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3)), y=np.zeros(2, np.int64))
    with (
        zipfile.ZipFile(tmp_path / "a.npz") as plain,
        zipfile.ZipFile(tmp_path / "b.npz", "w", method) as other,
    ):
        for name in plain.namelist():
            other.writestr(name, plain.read(name))
    with pytest.raises(DataError, match="must be stored or deflated"):
        read_npz(tmp_path / "b.npz", "x", "y")


@pytest.mark.fault(57)
def test_safetensors_with_any_byte_changed_are_refused_or_read(tmp_path: Path) -> None:
    model, path = nn.Linear(2, 2), tmp_path / "w.safetensors"
    save_file(model.state_dict(), path)
    whole, refused = path.read_bytes(), 0
    for index in range(len(whole)):
        for flip in (1, 0x80, 0xFF):
            path.write_bytes(whole[:index] + bytes([whole[index] ^ flip]) + whole[index + 1 :])
            try:
                load_weights(model, path)
            except ValueError:
                refused += 1
    assert refused > len(whole)
    path.write_bytes(b"\xff" * 7 + b"\x7f" + whole[8:])
    with pytest.raises(ValueError, match="must hold weights of the network"):
        load_weights(model, path)


@pytest.mark.fault(60)
def test_a_table_has_no_formulas(tmp_path: Path) -> None:
    design = {
        "op": "=cmd|' /C calc'!A0",
        "at": "@SUM(1)",
        "less": -5,
        "text": "-3.5",
        "plain": "conv",
    }
    with open_journal(tmp_path / "run", {}) as journal:
        journal.append(
            Evaluation(
                id=0,
                genotype=(0,),
                design=design,
                status=Status.FAILED,
                reason="+1\n=2",
                metrics={},
                seconds=1.0,
            )
        )
    write_trial_table(tmp_path / "run", tmp_path / "t.csv")
    row = (tmp_path / "t.csv").read_text().splitlines()[1]
    assert row == "0,FAILED,'+1 =2,,1.0,'=cmd|' /C calc'!A0,'@SUM(1),-5,-3.5,conv"


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "target"
    with socket.socket(socket.AF_UNIX) as listening:
        if request.param == "device":
            try:
                os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            except PermissionError:
                pytest.skip("no device can be made here")
        elif request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "socket":
            listening.bind(str(path))
        else:
            path.mkdir()
        yield path


@pytest.mark.fault(68)
@pytest.mark.parametrize("target", ["device", "pipe", "socket", "folder"], indirect=True)
def test_what_is_no_file_is_neither_replaced_nor_read(target: Path, tmp_path: Path) -> None:
    before = target.lstat()
    for command in (
        ["export", str(tmp_path), "--out", str(target)],
        ["export", str(tmp_path), "--to", "csv", "--out", str(target)],
        ["report", str(tmp_path), "--out", str(target)],
        ["profile", "digits", "--table", str(target)],
    ):
        assert ended(*command) == 2
    for command in (["ledger", str(target)], ["score", str(target)]):
        assert ended(*command) in (1, 2)
    assert (target.lstat().st_ino, target.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["target"]


@pytest.mark.fault(68)
def test_a_target_is_checked_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a file, but is a device"):
        check_target(Path("/dev/null"))
    with pytest.raises(ValueError, match="must lie in a folder that exists"):
        check_target(tmp_path / "none" / "file")
    with pytest.raises(ValueError, match=r"must name a file, but .*too long"):
        check_target(tmp_path / ("x" * 300))
    (tmp_path / "link").symlink_to("/dev/null")
    check_target(tmp_path / "link")  # which is replaced
    with pytest.raises(ValueError, match="is a device"):
        read_regular(Path("/dev/zero"), 10)


@pytest.mark.fault(69)
def test_a_small_file_that_would_run_for_days_is_refused() -> None:
    small = b"\x03\x01\x80\x20\x80\x20"  # [1, 4096, 4096]
    pool = b"\5\0\x80\x20\2\0"  # 2048 × 2048 windows, one pixel apart
    with pytest.raises(ArtifactError, match="steps that a sample takes must be at most"):
        unpack(chain(pool, FLATTEN, shape=small))


@pytest.mark.fault(69)
def test_batches_of_large_samples_are_small() -> None:
    large = b"\x03\x01\x80\x20\x80\x20"
    program = unpack(chain(b"\x09\0\x02", FLATTEN, shape=large))  # [1, 8192, 8192]
    assert sample_bytes(program) >= 2**29
    count = samples_at_a_time(program, 64)
    assert 1 <= count < 5
    assert count * sample_bytes(program) <= MOST_BYTES
    assert samples_at_a_time(unpack(chain(FLATTEN, shape=b"\1\4")), 64) == 64


@pytest.mark.fault(70)
@pytest.mark.slow
def test_a_damaged_candidate_is_refused_by_its_path_and_can_be_trained_again(
    tiny: Make, tmp_path: Path
) -> None:
    experiment, out = tiny(trials=2), tmp_path / "run"
    best = run(experiment, out).best
    assert best is not None
    export(out, "best", "packed", tmp_path / "whole")
    for path in (weights_path(out, best.id), packed_path(out, best.id)):
        whole = path.read_bytes()
        for damaged in (b"", whole[:50], None):
            path.unlink() if damaged is None else path.write_bytes(damaged)
            with pytest.raises(
                ValueError, match=f"{path} must .* --retrain trains the candidate again"
            ):
                export(out, "best", "torch", tmp_path / "w")
        path.write_bytes(whole)
    assert not (tmp_path / "w").exists()
    export(out, "best", "packed", tmp_path / "again", experiment)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.fault(79)
@pytest.mark.parametrize("name", ["weights", "packed", "retrained", "final"])
def test_folders_of_a_run_are_no_links(name: str, tiny: Make, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with open_journal(out, tiny().describe()):
        (out / name).symlink_to(elsewhere)
    with pytest.raises(
        RunDirectoryError, match=f"{name} must be a folder of the run, but is a link"
    ):
        run(tiny(), out)
    with pytest.raises(RunDirectoryError, match="but is a link"):
        export(out, "best", "packed", tmp_path / "file")
    assert not [*elsewhere.iterdir()]


@pytest.mark.fault(56)
def test_an_archive_of_weights_that_repeats_itself_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", bytes(2**20))
        first = archive.infolist()[0]
        for index in range(64):  # each is the same bytes again
            member = zipfile.ZipInfo(f"{index}.npy")
            member.header_offset, member.file_size = first.header_offset, first.file_size
            member.compress_size, member.CRC = first.compress_size, first.CRC
            archive.filelist.append(member)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="must hold weights of the network"):
            load_weights(nn.Linear(2, 2), path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert torch.is_grad_enabled()
