import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compressors import ChannelPruning, Quantization
from nas.compress import compress
from nas.testing import check_space
from nas.testing import space as space_contract

SPACE, CONDITIONS, CONSTRAINTS, PARTS = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parents[2] / "docs" / "spaces.md").read_text(),
    re.DOTALL,
)
COMPRESSORS = (ChannelPruning(), Quantization())


def my_mobile_net() -> Any:
    names: dict[str, Any] = {}
    exec(SPACE, names)
    return names["MyMobileNet"]()


def test_a_space_of_ones_own_takes_25_lines() -> None:
    assert len(SPACE.splitlines()) <= 25
    space, example = my_mobile_net(), torch.rand(2, 3, 16, 16)
    for seed in range(2):
        design = space.choices.decode(space.choices.sample(np.random.default_rng(seed)))
        model = compress(space.build(design, example, 5), design, COMPRESSORS, example)
        assert model(example).shape == (2, 5)


@pytest.mark.slow
def test_it_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_contract, "DESIGNS", 5)
    check_space(my_mobile_net(), torch.rand(4, 1, 8, 8), 10, np.random.default_rng(0), COMPRESSORS)


def test_conditions_and_constraints_are_as_the_page_says() -> None:
    exec(CONDITIONS, {})
    exec(CONSTRAINTS, {})


def test_a_space_of_parts_takes_25_lines() -> None:
    assert len(PARTS.splitlines()) <= 25
    names: dict[str, Any] = {"__name__": "page"}
    exec(PARTS, names)
    space = names["space"]
    for seed in range(2):
        design = space.choices.decode(space.choices.sample(np.random.default_rng(seed)))
        assert design["stem.width"] <= design["body.stage0.width"]
        model = space.build(design, torch.rand(2, 3, 32, 32), 5)
        assert model(torch.rand(3, 3, 32, 32)).shape == (3, 5)
