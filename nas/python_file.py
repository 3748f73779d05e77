"""Functions in Python files that users name."""

import importlib.util
import sys
import sysconfig
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

_OURS = ("nas", "strategies", "compressors", "search_spaces")


def import_file(path: Path) -> ModuleType:
    """The module of a Python file, which is run.

    Raises:
        ValueError: if there is no such Python file, or its name is that of a module of Python, of an
            installed package or of compact-nas, which would be imported in its place or hidden by it.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ValueError(f"{path} must be a Python file, but is not")
    module = importlib.util.module_from_spec(spec)
    _check_name(path)
    # The file can import its neighbors, which hide nothing that is installed.
    if (folder := str(path.parent.resolve())) not in sys.path:
        sys.path.append(folder)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _check_name(path: Path) -> None:
    name = path.stem
    folders = {sysconfig.get_paths()[key] for key in ("purelib", "platlib")}
    if (
        name in sys.stdlib_module_names
        or name in _OURS
        or PathFinder.find_spec(name, [*folders]) is not None
    ):
        raise ValueError(
            f"{path} must have a name that no other module has, but {name} is one of Python or of an installed "
            "package: rename the file"
        )
