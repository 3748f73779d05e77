"""The networks of the textbooks, from training to a file: each step works, or is refused by name."""

from pathlib import Path

import pytest
from torch import nn

from compressors import quantize
from nas.tracing import UnsupportedError
from tests.zoo.families import FAMILIES
from tests.zoo.steps import COMPRESSED, Specimen, pruned, shipped, specimen, train
from tests.zoo.table import table

SUPPORTED = [name for name, family in FAMILIES.items() if not family.refused]
REFUSED = [name for name, family in FAMILIES.items() if family.refused]
SLOW_TO_PRUNE = ("ResNet-50", "Inception", "YOLOv8's neck")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*as they are:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning"),
]


def test_most_families_go_the_whole_way() -> None:
    assert len(SUPPORTED) >= 22


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_trains(name: str) -> None:
    found = specimen(FAMILIES[name])
    train(found.model, found.task)


@pytest.mark.parametrize("name", SUPPORTED)
def test_a_network_is_quantized_trained_and_shipped(name: str) -> None:
    found = specimen(FAMILIES[name])
    model = quantize(found.model, 4, found.inputs)
    before = shipped(model, found.task)
    train(model, found.task)
    assert shipped(model, found.task) != before


def halved(name: str) -> tuple[Specimen, nn.Module]:
    found, family = specimen(FAMILIES[name]), FAMILIES[name]
    before = count(found.model)
    model = pruned(found.model, found.inputs)
    assert round(100 * count(model) / before) == family.left
    return found, model


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", [name for name in SUPPORTED if name not in SLOW_TO_PRUNE])
def test_a_network_is_pruned_to_half(name: str) -> None:
    halved(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUPPORTED)
def test_a_pruned_network_is_shipped(name: str) -> None:
    found, model = halved(name)
    if not FAMILIES[name].kept.startswith("the auxiliary head"):
        train(model, found.task)
    shipped(quantize(model, 4, found.inputs), found.task)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUPPORTED)
def test_files_of_8_and_2_bits_say_what_programs_say(name: str) -> None:
    found = specimen(FAMILIES[name])
    lengths = [
        len(shipped(quantize(found.model, bits, found.inputs), found.task)) for bits in (8, 2)
    ]
    assert lengths[1] < lengths[0]


@pytest.mark.slow
@pytest.mark.parametrize("how", [how for how in COMPRESSED if how != "pruned"])
@pytest.mark.parametrize("name", SUPPORTED)
def test_a_compressed_network_is_quantized_trained_and_shipped(name: str, how: str) -> None:
    found = specimen(FAMILIES[name])
    model = quantize(COMPRESSED[how](found.model, found.inputs), 4, found.inputs)
    shipped(model, found.task)
    train(model, found.task)
    shipped(model, found.task)


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_integer_form_is_refused_by_name(name: str) -> None:
    found = specimen(FAMILIES[name])
    with pytest.raises(UnsupportedError, match=FAMILIES[name].refused):
        quantize(found.model, 4, found.inputs)


def test_the_table_of_the_documentation_is_that_of_the_tests() -> None:
    page = Path(__file__).parents[2] / "docs" / "networks.md"
    assert table() in page.read_text(encoding="utf-8")
