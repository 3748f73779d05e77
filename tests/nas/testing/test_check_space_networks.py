from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.space import Design
from tests.nas.testing.broken_spaces import Wrapped, breach, built, check, run


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


def test_a_network_that_only_works_in_evaluation_mode_is_reported() -> None:
    def forward(net: Wrapped, x: Tensor) -> Tensor:
        if net.training:
            raise ArithmeticError("not now")
        return net.inner(x)

    breach(run(forward), r"must train on a batch, but raised ArithmeticError\('not now'\)")
