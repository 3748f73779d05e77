import os

import pytest


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test writes thousands of lines, the disk need not keep up."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
