import doctest
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.space import nni
from nas.space.nni import NniSpace, from_nni, parameters

FILE = {
    "conv_size": {"_type": "choice", "_value": [2, 3, 5]},
    "lr": {"_type": "loguniform", "_value": [0.001, 0.1]},
    "momentum": {"_type": "uniform", "_value": [0, 1]},
    "seed": {"_type": "randint", "_value": [3, 6]},
    "dropout": {"_type": "quniform", "_value": [0.05, 0.4, 0.1]},
    "hidden": {"_type": "qloguniform", "_value": [8, 33, 8]},
    "layer": {
        "_type": "choice",
        "_value": [
            "skip",
            {
                "_name": "Conv",
                "kernel": {"_type": "choice", "_value": [1, 3]},
                "act": {
                    "_type": "choice",
                    "_value": [
                        {"_name": "relu"},
                        {"_name": "leaky", "slope": {"_type": "choice", "_value": [0.1, 0.2]}},
                    ],
                },
            },
            {"_name": "Pool", "kernel": {"_type": "choice", "_value": [2, 4]}},
        ],
    },
}


def build(given: Any, example: torch.Tensor, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(given["conv_size"], classes))


def read(tmp_path: Path, entries: object, **settings: int) -> NniSpace:
    (tmp_path / "search_space.json").write_text(json.dumps(entries))
    return from_nni(tmp_path / "search_space.json", build, **settings)


def test_the_example_is_correct() -> None:
    assert doctest.testmod(nni) == (0, 1)


def test_each_type_has_the_values_that_nni_draws(tmp_path: Path) -> None:
    options = {choice.name: choice.options for choice in read(tmp_path, FILE, points=3).choices}
    assert options["conv_size"] == (2, 3, 5)
    assert options["lr"] == pytest.approx((0.001, 0.01, 0.1))
    assert options["momentum"] == (0.0, 0.5, 1.0)
    assert options["seed"] == (3, 4, 5)
    assert options["dropout"] == (0.05, 0.1, 0.2, 0.3, 0.4)
    assert options["hidden"] == (8.0, 16.0, 24.0, 32.0)
    assert options["layer"] == ("skip", "Conv", "Pool")


def test_parameters_of_an_option_are_active_where_it_is_chosen(tmp_path: Path) -> None:
    nested = {"layer": FILE["layer"]}
    space = read(tmp_path, nested)
    found = [parameters(space.choices.decode(g), space.nested) for g in space.choices.enumerate()]
    assert len(found) == space.choices.size == 1 + 2 * 3 + 2
    assert found[0] == {"layer": "skip"}
    assert {"layer": {"_name": "Pool", "kernel": 4}} in found
    leaky = {"_name": "leaky", "slope": 0.2}
    assert {"layer": {"_name": "Conv", "kernel": 3, "act": leaky}} in found
    assert {"layer": {"_name": "Conv", "kernel": 1, "act": {"_name": "relu"}}} in found


def test_the_function_gets_the_parameters(tmp_path: Path) -> None:
    space = read(tmp_path, FILE)
    model = space.build(space.choices.decode([1] + [0] * 10), torch.zeros(1, 2), 3)
    assert model(torch.zeros(1, 3)).shape == (1, 3)  # of the second option of conv_size


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "parameters must be an object"),
        ({"a": 3}, "'a' must have '_type' and '_value', and is 3"),
        ({"a": {"_type": "normal", "_value": [0, 1]}}, "must be one of .*, and is 'normal'"),
        ({"a": {"_type": "choice", "_value": 3}}, "must be a list, and is 3"),
        ({"a": {"_type": "choice", "_value": [{"b": 1}]}}, "must have a '_name'"),
        ({"a": {"_type": "choice", "_value": [[1, 2]]}}, "options must be strings, numbers"),
        ({"a": {"_type": "uniform", "_value": [1]}}, "must have 2 numbers for uniform"),
        ({"a": {"_type": "quniform", "_value": [0, 1, 0]}}, "a step above 0"),
        ({"a": {"_type": "randint", "_value": [0, 10**9]}}, "must have 1 to 1000 options"),
        ({"a": {"_type": "loguniform", "_value": [0, 1]}}, "must start above 0"),
        ({}, "at least one choice"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, entries: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, entries)
    with pytest.raises(ValueError, match="must be a search space of NNI in JSON"):
        from_nni(tmp_path / "none.json", build)
