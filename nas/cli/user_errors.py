"""Errors that were raised in the user's own code, whose place says more than their text."""

import sysconfig
import traceback
from pathlib import Path

import nas

_PACKAGES = ("nas", "strategies", "compressors", "search_spaces", "experiments")
_ROOT = Path(nas.__file__).resolve().parent.parent


def is_of_user(error: BaseException) -> bool:
    """Whether the user's code raised an error, or called a library that did; not if a function of ours
    raised it, which refuses what it was called with.
    """
    paths = sysconfig.get_paths()
    libraries = [
        Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
    ]
    ours = [_ROOT / name for name in _PACKAGES]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if not path.is_file():
            continue  # it is built in, or made by a dataclass
        path = path.resolve()
        if any(path.is_relative_to(folder) for folder in ours):
            return False
        if not any(path.is_relative_to(folder) for folder in libraries):
            return True
    return False
