"""A check of the contract of compressors, on random networks of a space."""

import copy
from collections.abc import Hashable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas.compress import Compressor, compress, settings_of
from nas.seeds import seeded
from nas.space import Design, SearchSpace, present_name
from nas.testing.networks import (
    answer,
    batch_like,
    check_cost,
    check_logits,
    check_training,
    difference,
    require_same,
    state,
    untouched,
)
from nas.testing.proposals import require
from nas.threads import one_thread

DESIGNS = 10
UNKNOWN_SITE, BAD_VALUE = "no.such.site", "no such value"


@one_thread()
def check_compressor(
    compressor: Compressor,
    space: SearchSpace,
    example: Tensor,
    classes: int,
    rng: np.random.Generator,
) -> None:
    """Applies a compressor to 10 random networks of a space, and checks what a run relies on.

    Args:
        compressor: the compressor to check
        space: a space with choices of the compressor's kind
        example: a batch of inputs, [N, …]
        classes: the number of classes
        rng: draws the designs

    Raises:
        AssertionError: at the first violation of the contract, with its likely cause.
    """
    kind: object = compressor.kind
    plain = isinstance(kind, str) and kind.isidentifier()
    require(
        plain,
        f"the kind of a compressor must be a plain name, but is {kind!r}",
        "it has the site too, or is a class",
    )
    kinds = sorted({choice.kind for choice in space.choices})
    require(
        present_name(str(kind)) in kinds,
        f"the space must have choices of kind {kind!r}, but has {kinds}",
        "the space and the compressor spell it differently",
    )
    designs = [space.choices.decode(space.choices.sample(rng)) for _ in range(DESIGNS)]
    designs = [design for design in designs if settings_of(design, compressor.kind)]
    guess = "each depends on a `when` that is rarely true"
    require(
        bool(designs),
        f"random designs must have choices of kind {kind!r}, but {DESIGNS} had none",
        guess,
    )
    for design in designs:
        _check_design(compressor, space, design, example, classes)
    site, value = next(iter(settings_of(designs[0], compressor.kind).items()))
    for settings, wrong in (({UNKNOWN_SITE: value}, UNKNOWN_SITE), ({site: BAD_VALUE}, BAD_VALUE)):
        _check_refused(
            compressor,
            _build(space, designs[0], example, classes, seed=0),
            settings,
            example,
            wrong,
        )


def _build(
    space: SearchSpace, design: Design, example: Tensor, classes: int, seed: int
) -> nn.Module:
    with seeded(seed):
        return space.build(design, example, classes)


def _check_design(
    compressor: Compressor, space: SearchSpace, design: Design, example: Tensor, classes: int
) -> None:
    settings = settings_of(design, compressor.kind)
    subject = f"the network of {dict(design)}, compressed by {settings}"
    model = _build(space, design, example, classes, seed=0)
    before = state(model)
    compressed = _apply(compressor, copy.deepcopy(model), settings, example)
    changed = difference(before, state(model))
    breach = f"apply() on a copy must leave the original network alone, but changed {changed!r}"
    require(not changed, breach, "a part of the network cannot be copied by copy.deepcopy")
    again = compress(model, design, [compressor], example)
    guess = "it draws random numbers, or keeps state from an earlier network"
    require_same(compressed, again, f"apply() must be repeatable, for {subject}", guess)
    turned = _apply(compressor, copy.deepcopy(model), dict(reversed(settings.items())), example)
    guess = "a site lies inside another, and the last one decides instead of the inner one"
    require_same(
        compressed, turned, f"apply() must not depend on the order of sites, for {subject}", guess
    )
    check_logits(compressed, example, classes, subject)
    trained = copy.deepcopy(compressed)
    check_training(trained, example, classes, subject, steps=2)
    other = _apply(
        compressor, _build(space, design, example, classes, seed=1), settings, example[:1]
    )
    _check_costs(
        check_cost(compressed, example, subject), check_cost(other, example, subject), subject
    )
    _check_reload(trained, other, example, subject)


def _apply(
    compressor: Compressor, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
) -> nn.Module:
    given, inputs = dict(settings), example.clone()
    with untouched("apply()"):
        try:
            compressed: object = compressor.apply(model, given, inputs)
        except Exception as error:
            guess = "the space has options that the compressor does not support"
            raise AssertionError(
                f"apply() must carry out every design, but raised {error!r} for {settings}: perhaps {guess}"
            ) from error
    breach = "apply() must return a module, but returned "
    require(
        isinstance(compressed, nn.Module),
        f"{breach}{type(compressed).__name__}",
        "`return model` is missing",
    )
    assert isinstance(compressed, nn.Module)
    require(
        given == settings,
        f"apply() must leave its settings as they are, but changed {settings} to {given}",
        "it pops entries",
    )
    require(
        torch.equal(inputs, example),
        "apply() must leave the example as it is, but changed it",
        "a layer modifies it in place",
    )
    return compressed


def _check_costs(first: Mapping[str, float], second: Mapping[str, float], subject: str) -> None:
    changed = [
        f"{name} was {first[name]:g} and {second[name]:g}"
        for name in first
        if first[name] != second[name]
    ]
    breach = f"costs must follow from the settings alone, but with other weights {', '.join(changed)} in {subject}"
    require(
        not changed,
        breach,
        "the weights decide how much is removed, instead of only what",
    )


def _check_reload(trained: nn.Module, fresh: nn.Module, example: Tensor, subject: str) -> None:
    guess = "learned state is not a parameter or buffer, or the shape of one depends on the weights"
    try:
        fresh.load_state_dict(trained.state_dict(), strict=True)
    except RuntimeError as error:
        raise AssertionError(
            f"the state of {subject} must load into one that is built anew, but: {error}: perhaps {guess}"
        ) from error
    inputs = batch_like(example)
    same = torch.equal(answer(trained, inputs, subject), answer(fresh, inputs, subject))
    require(
        same,
        f"{subject} must give the same outputs after its state is loaded into one that is built anew, but did not",
        guess,
    )


def _check_refused(
    compressor: Compressor,
    model: nn.Module,
    settings: Mapping[str, Hashable],
    example: Tensor,
    wrong: str,
) -> None:
    breach = f"apply() must refuse {dict(settings)} with a ValueError that names {wrong!r}, but "
    try:
        compressor.apply(model, settings, example)
    except ValueError as error:
        require(
            wrong in str(error),
            f"{breach}raised {str(error)!r}",
            "the message does not name the value",
        )
    except Exception as error:
        raise AssertionError(
            f"{breach}raised {error!r}: perhaps nothing checks the value, and a later step fails"
        ) from error
    else:
        require(False, f"{breach}did not", "unknown sites or values are ignored")
