"""The experiments for data of the user's, from the path to the score of the file on the test split."""

import struct
from pathlib import Path

import numpy as np
import pytest

from nas.cli.main import main
from nas.cli.score import score_file
from nas.runs.journal import read_journal
from tests.experiments.test_table import write_signals, write_table

FEW = ("--trials", "1", "--strategy", "random", "--executor", "in-process")


def write_idx(folder: Path) -> str:
    """Fashion-MNIST's files, of 16x16 pixels, whose three classes a bright band tells apart."""
    folder.mkdir()
    for part, count in (("train", 150), ("t10k", 30)):
        labels = np.arange(count) % 3
        images = np.zeros((count, 16, 16), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[5 * label : 5 * label + 5] = 200
        header = struct.pack(">I", 0x803) + struct.pack(">3I", count, 16, 16)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">2I", 0x801, count)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + bytes(labels.tolist()))
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "samples", "scored"),
    [
        ("images", ("--size-bytes", "16384", "--warm-start", "false"), 30, "the test images of"),
        ("table", ("--size-bytes", "1kB"), 30, "the test split of"),
        ("series", ("--macs", "200000"), 30, "the test split of"),
    ],
)
def test_a_search_from_a_path_to_a_score(
    name: str,
    options: tuple[str, ...],
    samples: int,
    scored: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write = {
        "images": lambda: write_idx(tmp_path / "fashion_mnist"),
        "table": lambda: write_table(tmp_path / "t.csv"),
        "series": lambda: write_signals(tmp_path / "s.npz"),
    }
    data = write[name]()
    epochs = "--epochs", "8", "--finetune-epochs", "4", "--fidelity", "full"
    main(["run", name, "--data", data, *options, *FEW, *epochs, "--lr", "0.02"])
    assert read_journal(tmp_path / "runs" / name)[0]["experiment"]["recipe"]["lr"] == 0.02
    main(["export", f"runs/{name}", "--out", "best.nas"])
    found = score_file(tmp_path / "best.nas", data, tmp_path / "runs" / name)
    assert (found["samples"], found["scored"].startswith(scored)) == (samples, True)
    assert found["accuracy"] > 0.4
