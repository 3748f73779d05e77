"""Journals to test with, and disks that fail."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from nas.objective import Epoch, Evaluation, Status
from nas.runs import journal_format
from nas.runs.journal import JOURNAL_NAME, open_journal

EXPERIMENT: dict[str, Any] = {
    "space": {"name": "Größe", "choices": "0123"},
    "compressors": [{"name": "Pruning"}],
    "objective": {"budget": {"limits": {"size_bytes": 4096.0}}},
    "teacher": None,
    "seed": 0,
}


def evaluation(id: int) -> Evaluation:
    design = {"op": "conv\n1×1", "width": 8 * id, "prune": 0.1, "bias": True, "rank": None}
    metrics = {"accuracy": 1 / (id + 3), "size_bytes": 100.0 + id}
    return Evaluation(
        id=id,
        genotype=(0, id, 2),
        design=design,
        status=Status.OK,
        reason="",
        metrics=metrics,
        seconds=0.25,
        epochs=1.5,
        history=(Epoch(2.3, 0.5), Epoch(1 / 3, 0.75)),
    )


def recorded(out: Path, count: int) -> list[Evaluation]:
    """A run directory with so many evaluations in its journal."""
    with open_journal(out, EXPERIMENT) as opened:
        for id in range(len(opened.evaluations), count):
            opened.append(evaluation(id))
    return opened.evaluations


def content(out: Path) -> bytes:
    return (out / JOURNAL_NAME).read_bytes()


def checked(body: str) -> bytes:
    """A line with the right checksum, whatever it holds."""
    return f'{{"crc": "{zlib.crc32(body.encode()):08x}", "record": {body}}}\n'.encode()


def header(**parts: object) -> bytes:
    return checked(
        json.dumps(
            {
                "format": journal_format.FORMAT,
                "version": journal_format.VERSION,
                "experiment": EXPERIMENT,
                **parts,
            }
        )
    )


def failing(
    monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException, keep: int = 0
) -> list[int]:
    """From now on `os.write` or `os.fsync` raises, a write after the first `keep` bytes of it;
    returns a list of the calls.
    """
    calls, write = list[int](), os.write

    def fail(descriptor: int, data: bytes = b"") -> int:
        calls.append(descriptor)
        if keep:
            write(descriptor, data[:keep])
        raise error

    monkeypatch.setattr(os, call, fail)
    return calls
