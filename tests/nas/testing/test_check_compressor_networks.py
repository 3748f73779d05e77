from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.nas.testing.broken_compressors import Gained, breach, check, layered, with_weights


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
