"""The contract of a compressor."""

import copy
from collections.abc import Hashable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas.compress import Compressor, compress, settings_of
from nas.seeds import seeded
from nas.space import Design, SearchSpace
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
    """Applies a compressor to 10 random networks of a space, and says what it does that a run could
    not live with.

    The space must have choices of the compressor's kind. `example` is a batch of inputs, [N, …].

    Raises:
        AssertionError: at the first breach, with its likely cause.
    """
    kind: object = compressor.kind
    plain = isinstance(kind, str) and kind.isidentifier()
    require(
        plain,
        f"the kind of a compressor must be a plain name, but is {kind!r}",
        "it holds the site too, or a class",
    )
    kinds = sorted({choice.kind for choice in space.choices})
    require(
        kind in kinds,
        f"the space must have choices of kind {kind!r}, but has {kinds}",
        "one of the two spells it otherwise",
    )
    designs = [space.choices.decode(space.choices.sample(rng)) for _ in range(DESIGNS)]
    designs = [design for design in designs if settings_of(design, compressor.kind)]
    guess = "each hangs on a `when` that is rarely true"
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
    breach = f"apply() must leave the original of its copy alone, but changed {(changed := difference(before, state(model)))!r}"
    require(not changed, breach, "a part of the network does not let itself be copied")
    again = compress(model, design, [compressor], example)
    guess = "it draws at random, or remembers an earlier network"
    require_same(compressed, again, f"apply() must be repeatable, for {subject}", guess)
    turned = _apply(compressor, copy.deepcopy(model), dict(reversed(settings.items())), example)
    guess = "a site lies inside another, and the last one wins where the inner one should"
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
            guess = "the space offers what this compressor cannot do, or an option that it does not know"
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
        f"apply() must leave its settings as they are, but made {given} of {settings}",
        "it pops entries",
    )
    require(
        torch.equal(inputs, example),
        "apply() must leave the example as it is, but changed it",
        "a layer works in place on it",
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
        "the weights decide how much is removed, where they should only decide what",
    )


def _check_reload(trained: nn.Module, fresh: nn.Module, example: Tensor, subject: str) -> None:
    guess = (
        "something learnt is no parameter or buffer, or the shape of one follows from the weights"
    )
    try:
        fresh.load_state_dict(trained.state_dict(), strict=True)
    except RuntimeError as error:
        raise AssertionError(
            f"the state of {subject} must fit one made afresh, but: {error}: perhaps {guess}"
        ) from error
    inputs = batch_like(example)
    same = torch.equal(answer(trained, inputs, subject), answer(fresh, inputs, subject))
    require(
        same,
        f"{subject} must say the same when its state is loaded into one made afresh, but did not",
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
            f"{breach}said {str(error)!r}",
            "the message was written without the value",
        )
    except Exception as error:
        raise AssertionError(
            f"{breach}raised {error!r}: perhaps nothing checks it, and it fails later"
        ) from error
    else:
        require(False, f"{breach}did not", "what is not known is passed over")
