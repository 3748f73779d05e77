import copy
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compressors.quantization import Quantization
from nas.seeds import seeded
from nas.space import Choice, Choices, Design, Genotype
from nas.testing.space import check_space

EXAMPLE = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Space:
    """A hidden layer or none; keeps the contract."""

    choices: Any = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("hidden", "width", (4, 8), ("depth", frozenset({2}))),
            Choice("hidden", "bits", (4, 8), ("depth", frozenset({2}))),
            Choice("head", "bits", (2, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> Any:
        features = example[0].numel()
        model = nn.Sequential(nn.Flatten())
        if design["depth"] == 2:
            width: Any = design["hidden.width"]
            model.add_module("hidden", nn.Linear(features, width, bias=False))
            model.add_module("norm", nn.BatchNorm1d(width))
            model.add_module("relu", nn.ReLU())
            features = width
        model.add_module("head", nn.Linear(features, classes))
        return model


class Wrapped(nn.Module):
    """Something done before and after a network."""

    def __init__(self, inner: nn.Module, **parts: nn.Module) -> None:
        super().__init__()
        for name, child in inner.named_children():
            self.add_module(name, child)
        for name, part in parts.items():
            self.add_module(name, part)
        self.names = [name for name, _ in inner.named_children()]

    def inner(self, x: Tensor) -> Tensor:
        for name in self.names:
            x = self.get_submodule(name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def built(change: Callable[[nn.Sequential, Design], Any]) -> Space:
    """A space whose networks are changed after they are built."""

    class Changed(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            return change(super().build(design, example, classes), design)

    return Changed()


def run(forward: Callable[[Wrapped, Tensor], Any], **parts: nn.Module) -> Space:
    """A space whose networks run otherwise."""

    class Other(Wrapped):
        def forward(self, x: Tensor) -> Any:
            return forward(self, x)

    def change(model: nn.Sequential, design: Design) -> nn.Module:
        return Other(model, **parts)

    return built(change)


def chosen(*choices: Choice) -> Space:
    space = Space()
    space.choices = Choices([*Space.choices, *choices])
    return space


def check(space: Any, seed: int = 0, compressors: tuple[Any, ...] = (Quantization(),)) -> None:
    check_space(space, EXAMPLE, 3, np.random.default_rng(seed), compressors)


def breach(space: Any, message: str) -> None:
    for seed in range(3):
        with pytest.raises(AssertionError, match=message):
            check(space, seed)


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


def test_a_design_that_cannot_be_built_is_told() -> None:
    def unbuildable(model: nn.Sequential, design: Design) -> nn.Module:
        raise ZeroDivisionError("no channels")

    breach(
        built(unbuildable),
        r"must make a network of every design, but raised ZeroDivisionError\('no channels'\) for {'depth'",
    )


def test_reading_an_inactive_choice_is_guessed() -> None:
    breach(
        built(lambda model, design: (design["hidden.width"], model)[1]),
        r"raised KeyError\('hidden.width'\) for .*: it reads a choice that is not active",
    )


def test_an_unknown_choice_is_no_inactive_one() -> None:
    breach(
        built(lambda model, design: design["hidden.wdith"]),
        r"raised KeyError\('hidden.wdith'\) for .* do not fit together",
    )


def test_a_network_must_come_back() -> None:
    breach(
        built(lambda model, design: None),
        "build.. must return a module, but returned NoneType: perhaps `return model`",
    )


def test_the_design_must_stay_as_it_is() -> None:
    def fill(model: nn.Module, design: Any) -> nn.Module:
        design.setdefault("hidden.width", 4)
        return model

    def drain(model: nn.Module, design: Any) -> nn.Module:
        design.pop("head.bits")
        return model

    for change in (fill, drain):
        breach(
            built(change),
            "must make a network of every design, but raised .*: it changes the design, which is frozen",
        )


def test_the_example_must_stay_as_it_is() -> None:
    class Scaling(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            example.mul_(2.0)
            return super().build(design, example, classes)

    breach(Scaling(), "must leave the example as it is")


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("random", random.random),
        ("numpy.random", np.random.rand),
        ("torch.get_default_dtype", lambda: torch.set_default_dtype(torch.float64)),
        ("torch.is_grad_enabled", lambda: torch.set_grad_enabled(False)),
    ],
)
def test_global_states_must_be_left_alone(name: str, draw: Callable[[], Any]) -> None:
    def drawing(model: nn.Module, design: Design) -> nn.Module:
        draw()
        return model

    try:
        with pytest.raises(
            AssertionError, match=rf"build\(\) must leave the global state of {name}\S* alone"
        ):
            check(built(drawing))
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)


def test_one_seed_must_give_one_network() -> None:
    own = torch.Generator().manual_seed(0)

    def drawing(model: nn.Module, design: Design) -> nn.Module:
        with torch.no_grad():
            model.get_parameter("head.weight").normal_(generator=own)
        return model

    breach(
        built(drawing),
        r"the same network for the same seed, .*'head.weight' differs: perhaps something is drawn",
    )


@pytest.mark.parametrize("how", ["seeded again", "loaded"])
def test_another_seed_must_give_other_weights(how: str) -> None:
    class Fixed(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            if how == "seeded again":
                torch.manual_seed(0)
            model = super().build(design, example, classes)
            if how == "loaded":
                for parameter in model.parameters():
                    nn.init.constant_(parameter, 0.1)
            return model

    breach(
        Fixed(),
        "other weights for another seed if it draws .*: perhaps build.. seeds torch itself, or puts given weights over",
    )


def test_a_copy_of_a_given_network_owes_nothing_to_the_seed() -> None:
    with seeded(0):
        given = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    class Copying(Space):
        choices = Choices([Choice("1", "bits", (2, 8))])

        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            return copy.deepcopy(given)

    check(Copying())


def test_networks_must_share_no_weights() -> None:
    with seeded(0):
        head = nn.Linear(16, 3)

    def reuse(model: nn.Sequential, design: Design) -> nn.Module:
        return nn.Sequential(nn.Flatten(), head)

    breach(built(reuse), "must give a network of its own each time, but gave weights twice")


def test_the_order_of_a_design_must_not_matter() -> None:
    class Ordered(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            model = super().build(design, example, classes)
            if next(iter(design)) != "depth":
                nn.init.zeros_(model.head.weight)
            return model

    breach(Ordered(), "must not depend on the order of a design, .*'head.weight' differs")


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            lambda net, x: (net.inner(x), x),
            r"must give logits \[N, 3\], but for \[1, 1, 4, 4\] gave tuple: perhaps it returns a tuple",
        ),
        (
            lambda net, x: net.inner(x)[:, :2],
            r"must give logits \[N, 3\], but for \[1, 1, 4, 4\] gave \[1, 2\]",
        ),
        (
            lambda net, x: net.inner(x).squeeze(),
            r"must give logits \[N, 3\], but for \[1, 1, 4, 4\] gave \[3\]",
        ),
        (
            lambda net, x: net.inner(x).mean(0, keepdim=True),
            r"must give logits \[N, 3\], but for \[3, 1, 4, 4\] gave \[1, 3\]",
        ),
        (
            lambda net, x: net.inner(x.view(1, 1, 4, 4)),
            r"must take a batch of \[3, 1, 4, 4\], but raised RuntimeError",
        ),
        (
            lambda net, x: net.inner(x) / 0.0,
            r"must give logits \[N, 3\], but .* gave some that are not finite: perhaps a layer divides by 0",
        ),
        (
            lambda net, x: functional.dropout(net.inner(x)),
            "the same logits twice in evaluation mode, .*training=self.training",
        ),
        (
            lambda net, x: torch.softmax(net.inner(x), 1),
            "must give logits, but gave probabilities: perhaps a softmax",
        ),
        (
            lambda net, x: torch.log_softmax(net.inner(x), 1),
            "must give logits, but gave probabilities",
        ),
        (
            lambda net, x: net.inner(x) - net.inner(x).mean(0),
            "must not depend on the others in its batch",
        ),
        (
            lambda net, x: net.inner(functional.batch_norm(x, None, None, training=True)),
            "must not depend on the others in its batch",
        ),
        (
            lambda net, x: net.inner(x) if x.isfinite().all() else net.inner(-x),
            "costs that can be counted, .*must be traceable by torch.fx",
        ),
        (
            lambda net, x: torch.stack([net.inner(x)[sample] for sample in range(len(x))]),
            "costs that can be counted, .*branches on values or shapes",
        ),
        (
            lambda net, x: net.inner(x.detach()).detach(),
            "must train on a batch, but raised RuntimeError",
        ),
    ],
)
def test_what_a_network_says_must_be_logits(
    forward: Callable[[Wrapped, Tensor], Any], message: str
) -> None:
    breach(run(forward), message)


def test_the_gradient_must_reach_every_parameter() -> None:
    def unused(model: nn.Sequential, design: Design) -> nn.Module:
        return Wrapped(model, spare=nn.Linear(2, 2))

    def rooted(net: Wrapped, x: Tensor) -> Tensor:
        logits = net.inner(x)
        return logits + (0.0 * logits).sqrt()

    breach(
        built(unused),
        "the gradient must reach every parameter .* but 'spare.weight' has none: perhaps forward.. does not use",
    )
    breach(run(rooted), "the gradient must reach every parameter .* but that of '.*' is not finite")


def test_frozen_parameters_need_no_gradient_but_some_must_be_trained() -> None:
    def freeze(model: nn.Module, *names: str) -> nn.Module:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not name.endswith(names))
        return model

    check(built(lambda model, design: freeze(model, "bias")))
    breach(
        built(lambda model, design: freeze(model, "")),
        "must have parameters to train, but has none",
    )


def test_a_network_that_only_works_while_it_is_evaluated_is_told() -> None:
    def forward(net: Wrapped, x: Tensor) -> Tensor:
        if net.training:
            raise ArithmeticError("not now")
        return net.inner(x)

    breach(run(forward), r"must train on a batch, but raised ArithmeticError\('not now'\)")


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
        r"must suit the compressors, but {.*} raised ValueError\(.a site must hold a convolution",
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


def test_every_kind_must_be_heeded() -> None:
    with pytest.raises(
        AssertionError,
        match=r"but \['rank'\] are not: .*: perhaps its compressor was not given to this check",
    ):
        check(chosen(Choice("head", "rank", (1, 2))))
    with pytest.raises(AssertionError, match=r"but \['bits'\] are not"):
        check(Space(), compressors=())
