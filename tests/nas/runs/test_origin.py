from pathlib import Path

import pytest

from nas import __version__
from nas.runs.directory import RunDirectoryError
from nas.runs.origin import ORIGIN_FILE, read_origin, write_origin


def test_the_last_command_and_the_environment_are_kept(tmp_path: Path) -> None:
    assert read_origin(tmp_path) == ("", {})
    write_origin(tmp_path, "nas run digits")
    write_origin(tmp_path, "nas run digits --trials 9")
    command, environment = read_origin(tmp_path)
    assert command == "nas run digits --trials 9"
    assert environment["compact-nas"] == __version__
    assert environment.keys() >= {"Python", "torch", "numpy", "system"}


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"command": "x", "environment": 3}'])
def test_a_damaged_file_is_refused(tmp_path: Path, damaged: str) -> None:
    (tmp_path / ORIGIN_FILE).write_text(damaged)
    with pytest.raises(RunDirectoryError, match=r"but is damaged: remove it"):
        read_origin(tmp_path)
