"""Networks of the textbooks as C."""

from pathlib import Path

import pytest
import torch

from compressors import quantize
from nas.c import write_c
from nas.c.model_source import model_source
from nas.lowering import lower
from nas.packed import flash_bytes, pack, unpack
from tests.nas.c.compiled import WARNINGS, assert_same, needs_compiler
from tests.nas.c.small_networks import convolutional
from tests.zoo.families import FAMILIES
from tests.zoo.steps import COMPRESSED, specimen

pytestmark = [
    needs_compiler,
    pytest.mark.filterwarnings("ignore:.*as they are:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning"),
]

SUPPORTED = [name for name, family in FAMILIES.items() if not family.refused]
LARGE = 10**8


@pytest.mark.parametrize("plain", [False, True])
def test_a_network_gives_the_integers_of_the_interpreter(plain: bool, tmp_path: Path) -> None:
    program = convolutional()
    assert_same(program, tmp_path, plain=plain)
    source = model_source(program, plain)
    assert source.arena_bytes == program.peak_memory
    assert (source.scratch_bytes == 0) == plain


def test_a_file_that_is_loaded_gives_the_same_folder(tmp_path: Path) -> None:
    program = convolutional()
    for name, each in {"program": program, "file": unpack(pack(program))}.items():
        write_c(each, tmp_path / name)
    header = (tmp_path / "program" / "model.h").read_text()
    assert (tmp_path / "file" / "model.h").read_text() == header


def test_tables_take_no_more_than_flash_bytes(tmp_path: Path) -> None:
    for bits in (2, 4, 8):
        program = convolutional(bits)
        assert model_source(program, plain=False).table_bytes <= flash_bytes(program)


@pytest.mark.parametrize("name", ["LeNet-5", "DS-CNN", "MobileNetV3"])
def test_a_network_of_the_textbooks_gives_the_integers(name: str, tmp_path: Path) -> None:
    _shipped(name, "", 4, tmp_path, samples=20)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUPPORTED)
def test_networks_of_the_textbooks_give_the_integers(name: str, tmp_path: Path) -> None:
    _shipped(name, "", 8, tmp_path / "8", samples=200)
    for how in ("sparse", "shared"):
        _shipped(name, how, 4, tmp_path / how, samples=20)


def _shipped(name: str, how: str, bits: int, folder: Path, samples: int) -> None:
    found, family = specimen(FAMILIES[name]), FAMILIES[name]
    model = COMPRESSED[how](found.model, found.inputs) if how else found.model
    program = lower(quantize(model, bits, found.inputs), found.inputs)
    drawn = torch.rand(samples, *family.shape, generator=torch.Generator().manual_seed(1))
    few = 4 if program.macs > LARGE else samples
    assert_same(program, folder, inputs=drawn[:few] * 1.5 - 0.2, flags=(*WARNINGS, "-O3"))
    source = model_source(program, plain=False)
    assert source.arena_bytes <= 1.15 * program.peak_memory
