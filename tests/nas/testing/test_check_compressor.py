import random
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.layers import layers_at
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor

EXAMPLE = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Space:
    """Two layers, each with a gain; keeps the contract."""

    choices = Choices([Choice("hidden", "gain", (0.5, 2.0)), Choice("head", "gain", (0.5, 2.0))])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential(nn.Flatten())
        model.add_module("hidden", nn.Linear(example[0].numel(), 8))
        model.add_module("norm", nn.BatchNorm1d(8))
        model.add_module("relu", nn.ReLU())
        model.add_module("head", nn.Linear(8, classes))
        return model


class Gained(nn.Sequential):
    """A linear layer times a number that is stored with it."""

    gain: Tensor

    def __init__(self, layer: nn.Linear, gain: float) -> None:
        super().__init__(with_weights(layer, gain * layer.weight))
        self.register_buffer("gain", torch.tensor(gain))


class Gain:
    """Multiplies the outputs of layers by the chosen gain; keeps the contract."""

    kind: Any = "gain"

    def check(self, gain: Any, site: str) -> float:
        if not isinstance(gain, float):
            raise ValueError(f"a gain must be a number, but got {gain!r} at {site!r}")
        return gain

    def layer(self, layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
        return Gained(layer, gain)

    def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> Any:
        for site in sorted(settings):
            gain = self.check(settings[site], site)
            for name, layer in layers_at(model, site).items():
                assert isinstance(layer, nn.Linear)
                model.set_submodule(name, self.layer(layer, gain, example))
        return model


def layered(make: Callable[[nn.Linear, float, Tensor], nn.Module]) -> Gain:
    """A compressor that builds layers in another way."""

    class Other(Gain):
        def layer(self, layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
            return make(layer, gain, example)

    return Other()


def applied(change: Callable[[Any, Any, Tensor], Any]) -> Gain:
    """A compressor that does something more to the network, its settings or the example."""

    class Other(Gain):
        def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> Any:
            return change(super().apply(model, settings, example), settings, example)

    return Other()


def with_weights(layer: nn.Linear, weight: Tensor) -> nn.Linear:
    layer.weight = nn.Parameter(weight.detach().clone())
    return layer


def check(compressor: Any, space: Any = None, seed: int = 0) -> None:
    check_compressor(compressor, space or Space(), EXAMPLE, 3, np.random.default_rng(seed))


def breach(compressor: Any, message: str, space: Any = None) -> None:
    with pytest.raises(AssertionError, match=message):
        check(compressor, space)


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


def test_a_network_must_come_back() -> None:
    breach(
        applied(lambda model, settings, example: None),
        "must return a module, but returned NoneType: perhaps `return model`",
    )


def test_the_settings_must_stay_as_they_are() -> None:
    def drain(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        settings.clear()
        return model

    breach(applied(drain), "must leave its settings as they are, but changed {'hidden'.* to {}")


def test_the_example_must_stay_as_it_is() -> None:
    def scale(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        example.mul_(2.0)
        return model

    breach(applied(scale), "must leave the example as it is")


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("random", random.random),
        ("numpy.random", np.random.rand),
        ("torch", lambda: torch.rand(1)),
        ("torch", lambda: torch.manual_seed(0)),
        ("torch.is_grad_enabled", lambda: torch.set_grad_enabled(False)),
    ],
)
def test_global_states_must_be_left_alone(name: str, draw: Callable[[], Any]) -> None:
    def drawing(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        draw()
        return model

    try:
        with torch.random.fork_rng(devices=[]):
            torch.rand(1)  # so that seeding with 0 changes something
            breach(
                applied(drawing),
                rf"apply\(\) must leave the global state of {name}(\S*\(\))? alone",
            )
    finally:
        torch.set_grad_enabled(True)


def test_applying_must_be_repeatable() -> None:
    own = torch.Generator().manual_seed(0)

    def noisy(layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
        return with_weights(layer, layer.weight + torch.rand(layer.weight.shape, generator=own))

    breach(
        layered(noisy),
        "must be repeatable, for .*, but 'hidden.weight' differs: perhaps it draws random numbers",
    )


def test_the_order_of_sites_must_not_matter() -> None:
    class Ordered(Gain):
        def apply(self, model: Any, settings: Mapping[str, Hashable], example: Tensor) -> Any:
            model = super().apply(model, settings, example)
            if next(iter(settings)) == "head":
                model.get_submodule("head").gain.add_(1.0)
            return model

    breach(Ordered(), "must not depend on the order of sites, for .*, but 'head.gain' differs")


def test_the_original_of_the_copy_must_stay_as_it_is() -> None:
    class Holding(nn.Module):
        """A module whose copies are the module itself."""

        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(3))

        def __deepcopy__(self, memo: Any) -> "Holding":
            return self

        def forward(self, x: Tensor) -> Tensor:
            return x + self.table

    class Held(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            return nn.Sequential(*super().build(design, example, classes).children(), Holding())

        choices = Choices([Choice("1", "gain", (0.5, 2.0))])

    def shift(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        model.get_parameter("5.table").data.add_(1.0)
        return model

    breach(
        applied(shift),
        "on a copy must leave the original network alone, but changed '5.table'",
        Held(),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda layer, gain, example: nn.Sequential(layer, nn.Flatten(0)),
            r"must give logits \[N, 3\]|must take a batch of",
        ),
        (
            lambda layer, gain, example: with_weights(layer, layer.weight / 0.0),
            r"must give logits \[N, 3\], but .*not finite",
        ),
    ],
)
def test_what_comes_back_must_give_logits(
    make: Callable[[nn.Linear, float, Tensor], nn.Module], message: str
) -> None:
    breach(layered(make), message)


def test_what_comes_back_may_be_in_training_mode() -> None:
    check(layered(lambda layer, gain, example: nn.Sequential(nn.Dropout(0.5), layer).train()))


def test_costs_must_be_countable() -> None:
    class Branching(Gained):
        def forward(self, input: Tensor) -> Any:  # noqa: A002 - the name that torch gives it
            return self[0](input if input.sum() > 0 else -input)

    breach(
        layered(lambda layer, gain, example: Branching(layer, gain)),
        "must have costs that can be counted, .*torch.fx",
    )


def test_costs_must_follow_from_the_settings_alone() -> None:
    def thin(layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
        """Two layers; the number of channels between them is that of the large weights."""
        rank = int((layer.weight.abs() > 0.6 * layer.weight.abs().max()).sum())
        inner = nn.Linear(layer.in_features, rank, device="meta").to_empty(device="cpu")
        outer = nn.Linear(rank, layer.out_features, device="meta").to_empty(device="cpu")
        for part in (inner, outer):
            nn.init.constant_(part.weight, gain)
            nn.init.constant_(part.bias, gain)
        return nn.Sequential(inner, outer)

    sizes = r"size_bytes was \d+ and \d+, flash_bytes was .*, params was"
    message = f"costs must follow from the settings alone, but with other weights {sizes}"
    breach(layered(thin), message)


def test_the_network_must_train_on() -> None:
    class Fixed(nn.Module):
        def __init__(self, layer: nn.Linear) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(x)
            return y.detach()

    breach(
        layered(lambda layer, gain, example: Fixed(layer)),
        "must train on a batch, but raised RuntimeError",
    )

    class HalfFixed(Gained):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
            layer = self[0]
            assert isinstance(layer, nn.Linear)
            return nn.functional.linear(input, layer.weight.detach(), layer.bias)

    message = "the gradient must reach every parameter .* but 'hidden.0.weight' has none"
    breach(layered(lambda layer, gain, example: HalfFixed(layer, gain)), message)


def test_what_is_learnt_must_be_in_the_state() -> None:
    class Counting(Gained):
        """Learns its gain from its inputs, but not as a parameter or buffer."""

        learnt = 0.0

        def forward(self, input: Tensor) -> Any:  # noqa: A002 - the name that torch gives it
            if self.training:
                self.learnt = 1.0
            return self[0](input if self.learnt == 0.0 else self.learnt - input)

    breach(
        layered(lambda layer, gain, example: Counting(layer, gain)),
        "must give the same outputs after its state is loaded into one that is built anew",
    )


def test_the_state_must_fit_one_made_afresh() -> None:
    def remember(layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
        made = Gained(layer, gain)
        made.register_buffer("seen", torch.zeros(len(example)))
        return made

    def listed(layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
        made = Gained(layer, gain)
        made.register_buffer(
            f"from_{int(layer.weight.sum() * 1e6)}".replace("-", "m"), torch.zeros(1)
        )
        return made

    for make in (remember, listed):
        breach(
            layered(make),
            "costs must follow from the settings alone|must load into one that is built anew",
        )
    breach(
        layered(listed),
        "(?s)the state of .* must load into one that is built anew, but: .*perhaps learned state is not a parameter or buffer",
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
