"""How a run was last continued: by which command, with which software, on what."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nas import __version__, durable
from nas.runs.directory import read_stored

ORIGIN_FILE = "origin.json"
LIBRARIES = ("torch", "numpy", "onnxruntime", "torch-pruning")


def write_origin(out: Path, command: str) -> None:
    """Stores the command, empty where there was none, and the environment in the run directory `out`.

    They are beside the journal, because no result depends on them.

    Raises:
        OSError: if the file cannot be written.
    """
    content = {"command": command, "environment": environment()}
    durable.write(out / ORIGIN_FILE, json.dumps(content, indent=2).encode())


def environment() -> dict[str, str]:
    """Versions of this software and of what results depend on, and the kind of machine."""
    return {
        "compact-nas": __version__,
        "Python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def read_origin(out: Path) -> tuple[str, Mapping[str, str]]:
    """The command and the environment; empty where they are not known, as of runs of before.

    Raises:
        RunDirectoryError: if the file is damaged.
    """

    def origin(stored: Any) -> tuple[str, Mapping[str, str]]:
        known = {str(name): str(value) for name, value in stored["environment"].items()}
        return str(stored["command"]), known

    return read_stored(out / ORIGIN_FILE, "a command and an environment", origin) or ("", {})
