"""Checks of networks, which a space built or a compressor changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.lowering import lower_all_channels
from nas.measure import costs
from nas.testing.global_state import global_states
from nas.testing.proposals import require


@contextmanager
def untouched(subject: str, *besides: str) -> Iterator[None]:
    """Requires that `subject` leaves global states alone, except those named in `besides`."""
    before = global_states()
    yield
    guess = "it seeds, draws or sets something there, where it should draw with torch alone and only where that is seeded for it"
    for name, state in global_states().items():
        require(
            name in besides or state == before[name],
            f"{subject} must leave the global state of {name} alone",
            guess,
        )


def state(model: nn.Module) -> Mapping[str, Tensor]:
    """A copy of the parameters and buffers of a network."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def difference(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> str:
    """The name of a tensor in which two states differ; empty if they are the same."""
    if unshared := first.keys() ^ second.keys():
        return min(unshared)
    return next((name for name in first if not torch.equal(first[name], second[name])), "")


def require_same(first: nn.Module, second: nn.Module, rule: str, guess: str) -> None:
    """Requires that two networks have equal states."""
    name = difference(first.state_dict(), second.state_dict())
    require(not name, f"{rule}, but {name!r} differs", guess)


def batch_like(example: Tensor) -> Tensor:
    """Three different samples, made from the first one of `example`."""
    return example[:1] * torch.tensor([1.0, 0.5, -1.0]).reshape(-1, *[1] * (example.ndim - 1))


def answer(model: nn.Module, inputs: Tensor, subject: str) -> Tensor:
    """The output of a network in evaluation mode."""
    model.eval()
    try:
        with torch.no_grad():
            output: Tensor = model(inputs.clone())
    except Exception as error:
        guess = (
            "the sizes of its layers do not follow from the example, or it relies on one batch size"
        )
        raise AssertionError(
            f"{subject} must take a batch of {list(inputs.shape)}, but raised {error!r}: perhaps {guess}"
        ) from error
    return output


def check_logits(model: nn.Module, example: Tensor, classes: int, subject: str) -> None:
    """Requires finite logits [N, classes] for any N, the same each time."""
    for inputs in (example[:1], batch_like(example)):
        logits = answer(model, inputs, subject)
        breach = f"{subject} must give logits [N, {classes}], but for {list(inputs.shape)} gave "
        require(
            isinstance(logits, Tensor),
            breach + type(logits).__name__,
            "it returns a tuple, with the features besides the logits",
        )
        guess = "the last layer does not use `classes`, or a dimension of size 1 is squeezed away with the batch"
        require(
            tuple(logits.shape) == (len(inputs), classes), breach + str(list(logits.shape)), guess
        )
        guess = (
            "a layer divides by 0 or takes the logarithm of it, or its weights are not initialized"
        )
        require(bool(logits.isfinite().all()), f"{breach}some that are not finite", guess)
        again = answer(model, inputs, subject)
        guess = "functional dropout lacks training=self.training"
        require(
            torch.equal(logits, again),
            f"{subject} must give the same logits twice in evaluation mode, but did not",
            guess,
        )


def check_cost(model: nn.Module, example: Tensor, subject: str) -> dict[str, float]:
    """Requires that the costs of a network can be counted, and returns them."""
    try:
        return costs(model, lower_all_channels(model, example))
    except Exception as error:
        guess = (
            "forward() branches on values or shapes of its input; decide in the constructor instead"
        )
        raise AssertionError(
            f"{subject} must have costs that can be counted, but raised {error!r}: perhaps {guess}"
        ) from error


def check_training(
    model: nn.Module, example: Tensor, classes: int, subject: str, steps: int = 1
) -> None:
    """Trains a network for some steps, and requires finite gradients of all parameters."""
    model.train()
    parameters = {
        name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    require(
        bool(parameters),
        f"{subject} must have parameters to train, but has none",
        "tensors are not nn.Parameter",
    )
    inputs, labels = batch_like(example), torch.arange(3) % classes
    optimizer = torch.optim.SGD(parameters.values(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        try:
            outputs = model(inputs)
            if classes == 1:  # a logit of its own, or a target
                loss = nn.functional.mse_loss(outputs, torch.arange(3.0)[:, None])
            else:
                loss = nn.functional.cross_entropy(outputs, labels)
            loss.backward()  # type: ignore[no-untyped-call]
        except Exception as error:
            guess = "it detaches its result, works in place on what is needed again, or normalizes over a single value"
            raise AssertionError(
                f"{subject} must train on a batch, but raised {error!r}: perhaps {guess}"
            ) from error
        for name, parameter in parameters.items():
            breach = f"the gradient must reach every parameter of {subject}, but "
            guess = "forward() does not use that layer, so build it only where it is used, or something is detached before it"
            require(parameter.grad is not None, f"{breach}{name!r} has none", guess)
            guess = "something divides by 0 or takes the root of it"
            require(
                bool(parameter.grad.isfinite().all()),  # type: ignore[union-attr]
                f"{breach}that of {name!r} is not finite",
                guess,
            )
        optimizer.step()
