"""Folders of C as other tools want them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nas.c.templates import template


@dataclass(frozen=True)
class Project:
    """What makes a folder of C one that a tool builds: a phrase for the help text, the templates of
    `files` by their path, in which @name@ is the folder's, and files of the plain folder that it
    must be `without`.
    """

    help: str
    files: Mapping[str, str]
    without: tuple[str, ...] = ()


PROJECTS: Mapping[str, Project] = {
    "arduino": Project(
        "an Arduino sketch that blinks",
        {"@name@.ino": "arduino.ino", "model_example.h": "arduino_example.h"},
        # All C of a sketch is linked, so that there must be no other main.
        without=("model_test.c", "Makefile"),
    ),
    "esp-idf": Project("a component of the ESP-IDF", {"CMakeLists.txt": "esp_idf_CMakeLists.txt"}),
    "zephyr": Project(
        "a Zephyr module",
        {"CMakeLists.txt": "zephyr_CMakeLists.txt", "zephyr/module.yml": "zephyr_module.yml"},
    ),
}
"""All projects, by their name on the command line."""


def check_project(project: str, folder: str) -> None:
    """Checks that there is a project, and that a folder of it can have this name.

    Raises:
        ValueError: if not.
    """
    if project not in PROJECTS:
        raise ValueError(f"a project must be one of {', '.join(PROJECTS)}, but got {project!r}")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", folder):
        raise ValueError(
            "the folder of a project must be named by at most 63 letters, digits, points, hyphens and "
            f"underscores, but got {folder!r}"
        )


def in_project(
    files: Mapping[str, str], project: str, folder: str, example: Mapping[str, object]
) -> Mapping[str, str]:
    """The files of a folder, by path, with those of a project; `example` are the values of its
    templates.

    Raises:
        ValueError: as `check_project`.
    """
    check_project(project, folder)
    kind = PROJECTS[project]
    values = {**example, "name": re.sub(r"[^A-Za-z0-9_]", "_", folder)}
    added = {
        path.replace("@name@", folder): template(name, values) for path, name in kind.files.items()
    }
    kept = {name: text for name, text in files.items() if name not in kind.without}
    return {**kept, **added}
