import random
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.space import Choice, Choices, Design, Genotype
from tests.nas.testing.broken_spaces import Space, breach, built, check, chosen


@pytest.mark.parametrize("seed", range(5))
def test_a_space_that_keeps_the_contract_passes(seed: int) -> None:
    check(Space(), seed)


def test_a_space_without_compressors_passes() -> None:
    space = Space()
    space.choices = Choices(Space.choices[:2])
    check(space, compressors=())


def test_the_check_leaves_the_global_generators_alone() -> None:
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    check(Space())
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def test_choices_must_be_choices() -> None:
    space = Space()
    space.choices = list(Space.choices)
    breach(space, r"must be Choices, but are list: perhaps Choices\(\[\.\.\.\]\)")


def test_choices_must_not_change() -> None:
    class Fresh(Space):
        counts = iter(range(10**6))

        @property
        def choices(self) -> Choices:
            return Choices([Choice("", "depth", (1, next(self.counts) + 2))])

    breach(Fresh(), "choices must be the same each time")


@pytest.mark.parametrize("method", ["canonical", "encode"])
def test_genotypes_must_come_back_from_their_designs(method: str) -> None:
    class Turned(Choices):
        def canonical(self, genotype: Sequence[int]) -> Genotype:
            return super().canonical(
                [0] * len(self) if method == "canonical" and any(genotype) else genotype
            )

        def encode(self, design: Mapping[str, Hashable]) -> Genotype:
            return (
                (9, *super().encode(design)[1:]) if method == "encode" else super().encode(design)
            )

        def sample(self, rng: np.random.Generator) -> Genotype:
            return Choices(self).sample(rng)

    space = Space()
    space.choices = Turned(Space.choices)
    breach(
        space,
        rf"{method}\(\).* must give back the genotype \(.*\), but gave \(.*\): perhaps an option is not equal to itself",
    )


def test_sites_must_name_modules() -> None:
    message = r"site of a 'bits' choice must name a module, but 'hidden' is none of \['0', 'layer', 'norm', 'relu', 'head'\] for"

    def rename(model: nn.Sequential, design: Design) -> nn.Module:
        renamed = nn.Sequential()
        for name, child in model.named_children():
            renamed.add_module({"hidden": "layer"}.get(name, name), child)
        return renamed

    breach(built(rename), message)


def test_a_site_must_be_there_in_every_design_that_has_it() -> None:
    class Lenient:
        kind = "bits"

        def apply(
            self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
        ) -> nn.Module:
            return model

    with pytest.raises(
        AssertionError,
        match=r"site of a 'bits' choice must name a module, but 'norm' is none of .*lacks a `when`",
    ):
        check(chosen(Choice("norm", "bits", (4, 8))), compressors=(Lenient(),))


def test_every_design_must_suit_the_compressors() -> None:
    always = Choice("relu", "bits", (4, 8), ("depth", frozenset({2})))
    breach(
        chosen(always),
        r"must suit the compressors, but Design\({.*}\) raised ValueError\(.a site must hold a convolution",
    )


def test_what_compressors_make_of_it_must_be_a_network_too() -> None:
    class Doubling:
        kind = "bits"

        def apply(
            self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
        ) -> nn.Module:
            return nn.Sequential(model, nn.Linear(3, 6))

    with pytest.raises(
        AssertionError,
        match=r"the compressed network of .* must give logits \[N, 3\], .* gave \[1, 6\]",
    ):
        check(Space(), compressors=(Doubling(),))


def test_every_kind_must_be_used() -> None:
    with pytest.raises(
        AssertionError,
        match=r"but \['rank'\] are not: .*: perhaps its compressor was not given to this check",
    ):
        check(chosen(Choice("head", "rank", (1, 2))))
    with pytest.raises(AssertionError, match=r"but \['bits'\] are not"):
        check(Space(), compressors=())
