"""Functions in Python files that users name."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def import_file(path: Path) -> ModuleType:
    """The module of a Python file, which is run.

    Raises:
        ValueError: if there is no such Python file.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ValueError(f"{path} must be a Python file, but is not")
    module = importlib.util.module_from_spec(spec)
    # As with `python FILE.py`, the file can import its neighbors.
    sys.path.insert(0, str(path.parent.resolve()))
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
