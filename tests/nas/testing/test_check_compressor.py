import random
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.space import Choice, Choices
from tests.nas.testing.broken_compressors import Gain, Space, breach, check


@pytest.mark.parametrize("seed", range(3))
def test_a_compressor_that_keeps_the_contract_passes(seed: int) -> None:
    check(Gain(), seed=seed)


@pytest.mark.parametrize("compressor", [ChannelPruning(kind="gain"), Quantization(kind="gain")])
def test_the_compressors_that_come_along_keep_it(compressor: Any) -> None:
    class Suitable(Space):
        options = (0.0, 0.3, 0.9) if isinstance(compressor, ChannelPruning) else (2, 5, 8)
        choices = Choices([Choice("hidden", "gain", options)])

    check(compressor, Suitable())


def test_the_check_leaves_the_global_generators_alone() -> None:
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    check(Gain())
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize("kind", ["", "head.gain", "a gain", 3, None])
def test_the_kind_must_be_a_plain_name(kind: Any) -> None:
    compressor = Gain()
    compressor.kind = kind
    breach(compressor, f"the kind of a compressor must be a plain name, but is {kind!r}")


def test_the_space_must_have_the_kind() -> None:
    compressor = Gain()
    compressor.kind = "gains"
    breach(compressor, r"the space must have choices of kind 'gains', but has \['gain'\]")


def test_random_designs_must_have_the_kind() -> None:
    class Rare(Space):
        options = tuple(range(1000))
        choices = Choices(
            [Choice("", "op", options), Choice("head", "gain", (0.5, 2.0), ("op", frozenset({7})))]
        )

    breach(Gain(), "random designs must have choices of kind 'gain', but 10 had none", Rare())


def test_designs_without_the_kind_are_passed_over() -> None:
    class Sometimes(Space):
        choices = Choices(
            [Choice("", "op", (0, 1)), Choice("head", "gain", (0.5, 2.0), ("op", frozenset({1})))]
        )

    for seed in range(3):
        check(Gain(), Sometimes(), seed)


def test_every_design_must_be_carried_out() -> None:
    class Wider(Space):
        choices = Choices([Choice("head", "gain", (0.5, 3))])

    breach(
        Gain(),
        r"must carry out every design, but raised ValueError\(.*a gain must be a number.* for {'head': 3}",
        Wider(),
    )


def test_an_unknown_site_must_be_refused() -> None:
    class Deaf(Gain):
        def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> Any:
            known = dict(model.named_modules())
            return super().apply(
                model, {site: gain for site, gain in settings.items() if site in known}, example
            )

    class Crashing(Gain):
        def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> Any:
            for site in settings:
                model.get_submodule(site)
            return super().apply(model, settings, example)

    expected = r"must refuse {'no.such.site': .*} with a ValueError that names 'no.such.site', but "
    breach(Deaf(), expected + "did not: perhaps unknown sites or values are ignored")
    breach(Crashing(), expected + "raised AttributeError")


def test_a_bad_value_must_be_refused_by_name() -> None:
    class Mute(Gain):
        def check(self, gain: Any, site: str) -> float:
            if not isinstance(gain, float):
                raise ValueError("bad gain")
            return gain

    class Lax(Gain):
        def check(self, gain: Any, site: str) -> float:
            return gain if isinstance(gain, float) else 1.0

    class Crashing(Gain):
        def check(self, gain: Any, site: str) -> float:
            return gain / 1.0  # type: ignore[no-any-return]

    expected = r"must refuse {'hidden': 'no such value'} with a ValueError that names 'no such value', but "
    breach(Mute(), expected + "raised 'bad gain': perhaps the message does not name the value")
    breach(Lax(), expected + "did not")
    breach(Crashing(), expected + "raised TypeError")
