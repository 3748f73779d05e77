import os

import pytest


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test opens hundreds of journals, the disk need not keep up."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
