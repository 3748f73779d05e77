"""The check that a rewritten network says what its original says."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.layers import forward_hooks
from nas.tracing.unsupported import UnsupportedError

TOLERANCE = 1e-4
ROWS = 32


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A context in which every module of a network is in evaluation mode; each mode is restored."""
    modes = {module: module.training for module in model.modules()}
    for module in modes:
        vars(module)["training"] = False  # as setattr does, which first looks for parameters
    try:
        yield
    finally:
        for module, training in modes.items():
            vars(module)["training"] = training


def check_same_outputs(
    original: nn.Module, rewritten: nn.Module, example: Tensor, what: str
) -> None:
    """Refuses a network, `rewritten` from another without rounding, that does not say the same.

    Both are compared in evaluation mode on up to 32 rows of `example`, [N, …], which they cannot
    change; they may differ by 1e-4 of the largest output. `what` says how it was rewritten.

    Raises:
        UnsupportedError: if they differ, naming the first layer whose outputs do.
    """
    check_same(outputs(original, example[:ROWS]), original, rewritten, example, what)


def check_same(
    wanted: Tensor, original: nn.Module, rewritten: nn.Module, example: Tensor, what: str
) -> None:
    """The same where the outputs of the original on these rows are known, `wanted`."""
    inputs = example[:ROWS]
    found = outputs(rewritten, inputs)
    if (error := difference(wanted, found)) <= TOLERANCE:
        return
    place = _first_difference(original, rewritten, inputs)
    raise UnsupportedError(
        f"a network must say the same when it is {what}, but its outputs then differ by {error:.2g} of the largest, {place}"
    )


def difference(wanted: Tensor, found: Tensor) -> float:
    """The largest difference of two tensors over the largest magnitude of the first; infinite if
    their shapes differ, or one is not a number where the other is.
    """
    if wanted.shape != found.shape or not torch.equal(wanted.isnan(), found.isnan()):
        return math.inf
    if wanted.numel() == 0 or torch.equal(wanted, found):
        return 0.0
    error = (found.double() - wanted.double()).nan_to_num(0.0).abs().max()
    return float(error / wanted.double().nan_to_num(0.0).abs().max())


def outputs(model: nn.Module, inputs: Tensor) -> Tensor:
    """What a network gives on inputs [N, …], which it cannot change, in evaluation mode.

    Raises:
        UnsupportedError: if it is not one tensor.
    """
    with evaluating(model), torch.no_grad():
        found = model(inputs.clone())
    if not isinstance(found, Tensor):
        raise UnsupportedError(
            f"a network must return one tensor, the logits, but returns a {type(found).__name__}; wrap it in a module that "
            "returns the logits"
        )
    return found


def _first_difference(original: nn.Module, rewritten: nn.Module, inputs: Tensor) -> str:
    """Where two networks begin to differ, by the names of the layers that both have."""
    wanted, found = _results(original, inputs), _results(rewritten, inputs)
    for name, results in wanted.items():
        others = found.get(name)
        if others is not None and any(
            difference(*pair) > TOLERANCE for pair in zip(results, others, strict=False)
        ):
            return f"first behind {name!r}"
    return "though the layers that both have give the same: look at what is computed between layers"


def _results(model: nn.Module, inputs: Tensor) -> dict[str, list[Tensor]]:
    """What each module without children gives, at each of its calls, in order."""
    names = {module: name for name, module in model.named_modules()}
    found = dict[str, list[Tensor]]()

    def record(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor):
            found.setdefault(names[module], []).append(output.clone())

    leaves = [module for module in names if not any(module.children())]
    with forward_hooks((module, record) for module in leaves):
        outputs(model, inputs)
    return found
