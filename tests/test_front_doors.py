import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import nas

ROOT = Path(__file__).parents[1]
DOORS = {
    "nas": (
        *("Choice", "Choices", "Design", "Budget", "Objective", "Experiment", "Recipe", "Task"),
        *("run", "search", "Proposal", "Strategy"),
    ),
    "strategies": ("RandomSearch", "AgingEvolution", "Nsga2", "Reinforce", "Surrogate", "Tpe"),
    "compressors": ("ChannelPruning", "Quantization", "prune", "quantize", "joint_choices"),
    "search_spaces": (
        "ConvBlocks",
        "ConvStages",
        "first_networks",
        "Mlp",
        "TrainedNetwork",
        "WithRecipe",
    ),
    "nas.testing": ("check_space", "check_strategy", "check_compressor", "check_device"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_front_door_has_what_users_need(door: str) -> None:
    package = import_module(door)
    assert set(DOORS[door]) <= set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("door", DOORS)
def test_a_front_door_names_each_thing_once_and_in_order(door: str) -> None:
    lines = Path(import_module(door).__file__ or "").with_suffix(".pyi").read_text().splitlines()
    imports = [line for line in lines if line.startswith("from ")]
    assert imports == sorted(imports, key=lambda line: line.replace("from . ", "from .0 "))
    assert len(imports) == len(import_module(door).__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Layers"):
        _ = nas.Layers  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "program",
    [
        "import nas, strategies; nas.Choices",
        "from nas import Budget, Choice, Choices, Design, Objective, Proposal, Strategy, search",
        "from strategies import AgingEvolution, Grid, Hyperband, LocalSearch, Nsga2, Surrogate",
        "from nas.testing import check_strategy",
    ],
)
def test_the_core_of_a_search_is_imported_without_torch(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; sys.exit('torch' in sys.modules)"], cwd=ROOT
    )
    assert ended.returncode == 0
