import configparser
from pathlib import Path

import pytest

from nas import __version__
from nas.cli import doctor
from nas.cli.main import main

ROOT = Path(__file__).parents[3]


def test_versions_threads_and_extras_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    text = capsys.readouterr().out
    for word in (__version__, "torch", "accelerators", "cores"):
        assert word in text


def test_every_extra_that_users_install_is_told() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    developers = {"dev", "tflite-test"}
    assert {*doctor.EXTRAS} == {*config["options.extras_require"]} - developers


def test_a_missing_extra_says_how_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"x": doctor.Extra("no_such_module_here", "nothing")})
    assert doctor.extras() == [("x", "missing: pip install 'compact-nas[x]'", "nothing")]
