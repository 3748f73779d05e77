"""Folders as Arduino, the ESP-IDF and Zephyr build them, with stand-ins for these."""

import re
import subprocess
from pathlib import Path

import pytest

from nas.c import write_c
from nas.c.examples import drawn_inputs, output_integers
from nas.c.projects import PROJECTS
from tests.nas.c.compiled import needs
from tests.nas.c.small_networks import few_channels

ARDUINO = """
#include <stddef.h>
#include <stdint.h>
#define LED_BUILTIN 13
#define OUTPUT 1
#define HIGH 1
#define LOW 0
void pinMode(int pin, int mode);
void digitalWrite(int pin, int level);
void delay(unsigned long milliseconds);
"""
BLINKS = """
#include <stdio.h>
void setup(); void loop();
static int blinks;
void pinMode(int, int) {}
void digitalWrite(int, int level) { blinks += level; }
void delay(unsigned long) {}
int main() { setup(); loop(); printf("%d", blinks); return 0; }
"""
CPLUSPLUS = ("-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-include", "Arduino.h")
CMAKE = {
    "esp-idf": """
macro(idf_component_register)
    cmake_parse_arguments(OF "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
    set(COMPONENT_LIB model_component)
    add_library(model_component STATIC ${OF_SRCS})
    target_include_directories(model_component PUBLIC ${OF_INCLUDE_DIRS})
endmacro()
""",
    "zephyr": """
macro(zephyr_library_named name)
    set(named ${name})
    file(WRITE ${CMAKE_BINARY_DIR}/empty.c "")
    add_library(${name} STATIC ${CMAKE_BINARY_DIR}/empty.c)
endmacro()
macro(zephyr_library_sources)
    target_sources(${named} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_compile_options)
    target_compile_options(${named} PRIVATE ${ARGN})
endmacro()
macro(zephyr_include_directories)
    include_directories(${ARGN})
endmacro()
""",
}


def sketch(folder: Path) -> Path:
    """An Arduino sketch with a stand-in for the core's header."""
    write_c(few_channels(), folder / "blinky", plain=True, project="arduino")
    (folder / "blinky" / "Arduino.h").write_text(ARDUINO)
    return folder / "blinky"


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs("cc", "g++")
def test_a_sketch_blinks_as_often_as_the_class_says(tmp_path: Path) -> None:
    folder, program = sketch(tmp_path), few_channels()
    assert {path.name for path in folder.iterdir()} == {
        *("blinky.ino", "model.c", "model.h", "model_example.h", "Arduino.h")
    }
    (folder / "main.cpp").write_text(BLINKS)
    run(["cc", "-std=c99", "-c", "model.c"], folder)
    run(["g++", "-I.", *CPLUSPLUS, "blinky.ino", "main.cpp", "-x", "none", "model.o"], folder)
    wanted = output_integers(program, drawn_inputs(program, 1))[0].argmax() + 1
    assert run(["./a.out"], folder) == str(wanted)
    header = (folder / "model_example.h").read_text()
    start = header.index("output[MODEL_OUTPUT_SIZE]")
    broken = header[:start] + header[start:].replace("{", "{1 ^ ", 1)
    (folder / "model_example.h").write_text(broken)
    run(["g++", "-I.", *CPLUSPLUS, "blinky.ino", "main.cpp", "-x", "none", "model.o"], folder)
    assert run(["./a.out"], folder) == "100"


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        ("avr-g++", ["-mmcu=atmega328p", "-Os"]),
        ("arm-none-eabi-g++", ["-mcpu=cortex-m4", "-mthumb", "-O2"]),
    ],
)
def test_a_sketch_compiles_for_boards(compiler: str, flags: list[str], tmp_path: Path) -> None:
    for command in (compiler, compiler.replace("g++", "gcc")):
        if reason := [mark.kwargs["reason"] for mark in [needs(command).mark] if mark.args[0]]:
            pytest.skip(reason[0])
    folder = sketch(tmp_path)
    run([compiler, *flags, "-I.", *CPLUSPLUS, "-c", "blinky.ino"], folder)
    run([compiler.replace("g++", "gcc"), *flags, "-std=c99", "-Wall", "-c", "model.c"], folder)


@needs("cc", "cmake", "make")
@pytest.mark.parametrize("project", CMAKE)
def test_cmake_builds_the_folder(project: str, tmp_path: Path) -> None:
    write_c(few_channels(), tmp_path / "digits", project=project)
    top = ["cmake_minimum_required(VERSION 3.16)", "project(test C)", CMAKE[project]]
    (tmp_path / "CMakeLists.txt").write_text("\n".join([*top, "add_subdirectory(digits)"]))
    run(["cmake", "-S", ".", "-B", "build"], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    (library,) = (tmp_path / "build").rglob("*.a")
    assert "model_run" in run(["nm", str(library)], tmp_path)


def test_a_zephyr_module_is_named_by_its_folder(tmp_path: Path) -> None:
    write_c(few_channels(), tmp_path / "my-digits", project="zephyr")
    module = (tmp_path / "my-digits" / "zephyr" / "module.yml").read_text()
    assert re.match(r"name: my_digits\nbuild:\n  cmake: \.\n", module)
    assert (
        "zephyr_library_named(my_digits)" in (tmp_path / "my-digits" / "CMakeLists.txt").read_text()
    )
    assert (tmp_path / "my-digits" / "model_test.c").exists()


def test_names_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a project must be one of arduino, .*, but got 'mbed'"):
        write_c(few_channels(), tmp_path / "x", project="mbed")
    for project in PROJECTS:
        with pytest.raises(ValueError, match=r"must be named by at most 63 letters.* 'a b'"):
            write_c(few_channels(), tmp_path / "a b", project=project)
    assert list(tmp_path.iterdir()) == []
