from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from compressors.quantization import Quantization
from nas.experiment import Experiment
from nas.measure import Roofline
from nas.objective import Budget, Objective
from nas.soft_target import SoftTarget
from nas.training.recipe import Recipe
from nas.training.stopping import MedianStop
from nas.training.supernet import Supernet
from search_spaces.conv_stages import ConvStages
from strategies.evolutionary.aging import AgingEvolution

Make = Callable[..., Experiment]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, but got 0"),
        ({"window": -1}, "window must be at least 1, but got -1"),
        ({"patience": 0}, "patience must be at least 1, but got 0"),
        ({"rounding": "twice"}, r"a rounding must be one of .*, but got 'twice'"),
        ({"seed": -1}, "seed must be 0 or more, but got -1"),
        (
            {"objective": Objective(maximize=("speed",))},
            r"can maximize .*accuracy.*, but got \['speed'\]",
        ),
        (
            {"objective": Objective(minimize=("weight",))},
            r"can minimize .*size_bytes.*, but got \['weight'\]",
        ),
        (
            {"objective": Objective(budget=Budget({"bytes": 1.0}))},
            r"can limit .*size_bytes.*, but got \['bytes'\]",
        ),
        ({"objective": Objective(budget=Budget({"latency_ms": 1.0}))}, "latency_ms needs a device"),
        (
            {"objective": Objective(soft_target=SoftTarget("weight", 1.0))},
            r"can aim at a cost of .*size_bytes.*, but got \['weight'\]",
        ),
        (
            {"objective": Objective(soft_target=SoftTarget("latency_ms", 1.0))},
            "latency_ms needs a device",
        ),
    ],
)
def test_what_cannot_run_is_refused(tiny: Make, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**change)


def test_a_device_makes_latency_a_cost(tiny: Make) -> None:
    limited = Objective(budget=Budget({"latency_ms": 1.0}))
    experiment = tiny(objective=limited, device=Roofline("d", 1e6, 1e6))
    assert experiment.describe()["device"] == {
        "name": "Roofline",
        "macs_per_second": 1e6,
        "bytes_per_second": 1e6,
    } | {"name": "d"}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"window": 2},
        {"recipe": Recipe(epochs=2, finetune_epochs=1)},
        {"compressors": (Quantization(activation_bits=4),)},
        {"strategy": partial(AgingEvolution, population=7)},
        {"objective": Objective()},
        {"objective": Objective(soft_target=SoftTarget("macs", 9.0))},
        {"stop": MedianStop()},
        {"space": ConvStages()},
        {"supernet": Supernet()},
    ],
)
def test_the_description_tells_experiments_apart(tiny: Make, change: dict[str, Any]) -> None:
    assert tiny().describe() != tiny(**change).describe()


def test_the_rounding_is_described_unless_it_is_the_programs_own(tiny: Make) -> None:
    assert tiny(rounding="double").describe()["rounding"] == "double"
    assert tiny(rounding="single").describe() == tiny().describe()
    assert "rounding" not in tiny().describe()


def test_the_description_is_the_same_for_equal_experiments_and_any_number_of_trials(
    tiny: Make,
) -> None:
    assert tiny(trials=3).describe() == tiny(trials=9).describe()


def test_the_description_tells_spaces_of_the_same_choices_apart(tiny: Make) -> None:
    narrow, wide = ConvStages(stem=8), ConvStages(stem=16)
    assert narrow.choices.digest == wide.choices.digest
    assert tiny(space=narrow).describe() != tiny(space=wide).describe()
