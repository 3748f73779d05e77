"""The contract of a search space."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nas.compress import Compressor, compress, settings_of
from nas.data import Split, Task
from nas.evaluation.kinds import check_kinds
from nas.seeds import seeded
from nas.space import Choices, Design, SearchSpace
from nas.testing.networks import (
    answer,
    batch_like,
    check_cost,
    check_logits,
    check_training,
    difference,
    require_same,
    untouched,
)
from nas.testing.proposals import require
from nas.threads import one_thread

DESIGNS = 20


@one_thread()
def check_space(
    space: SearchSpace,
    example: Tensor,
    classes: int,
    rng: np.random.Generator,
    compressors: Sequence[Compressor] = (),
) -> None:
    """Checks that a space can be searched, by building and compressing 20 random designs.

    `example` is a batch of inputs, [N, …], and `classes` the number of classes, 1 for networks of one output. `rng` draws the
    designs. `compressors` are those that the space is to be searched with.

    Raises:
        AssertionError: at the first violation, with its likely cause.
    """
    _check_choices(space)
    for _ in range(DESIGNS):
        design = _design(space.choices, rng)
        subject = f"the network of {design}"
        model = _check_build(space, design, example, classes)
        check_logits(model, example, classes, subject)
        _check_samples_apart(model, example, subject)
        check_training(copy.deepcopy(model), example, classes, subject)
        check_cost(model, example, subject)
        _check_sites(model, design, compressors)
        _check_compressed(model, design, compressors, example, classes)
    _check_kinds(space, compressors, example, classes, rng)


def _check_choices(space: SearchSpace) -> None:
    choices: object = space.choices
    breach = f"the choices of a space must be Choices, but are {type(choices).__name__}"
    require(isinstance(choices, Choices), breach, "Choices([...]) around them is missing")
    guess = "they are drawn at random or come out of a set, which has no order"
    require(
        space.choices.digest == space.choices.digest,
        "choices must be the same each time, but changed",
        guess,
    )


def _design(choices: Choices, rng: np.random.Generator) -> Design:
    genotype = choices.sample(rng)
    design = choices.decode(genotype)
    guess = "an option is not equal to itself, or a method of Choices is overridden"
    for name, again in (
        ("canonical()", choices.canonical(genotype)),
        ("encode() of decode()", choices.encode(design)),
    ):
        require(
            again == genotype,
            f"{name} must give back the genotype {genotype}, but gave {again}",
            guess,
        )
    return design


def _check_build(space: SearchSpace, design: Design, example: Tensor, classes: int) -> nn.Module:
    """The network of a design, checked to depend on torch's seed and on nothing else."""
    model, drew = _build(space, design, example, classes, seed=0)
    again, _ = _build(space, design, example, classes, seed=0)
    shared = {id(part) for part in model.parameters()} & {id(part) for part in again.parameters()}
    guess = "it keeps modules from an earlier call, and training one candidate would change another"
    require(
        model is not again and not shared,
        "build() must give a network of its own each time, but gave weights twice",
        guess,
    )
    guess = "something is drawn from a generator of its own, or left as it is found in memory"
    require_same(
        model, again, f"build() must give the same network for the same seed, for {design}", guess
    )
    turned, _ = _build(
        space, Design(dict(reversed(list(design.items())))), example, classes, seed=0
    )
    guess = "build() goes through the design in its order; look choices up by name"
    require_same(
        model, turned, f"build() must not depend on the order of a design, {design}", guess
    )
    other, _ = _build(space, design, example, classes, seed=1)
    # A space that draws nothing, but copies a trained network, gives the same one for all seeds.
    guess = "build() seeds torch itself, or puts given weights over drawn ones, where it should copy a network"
    require(
        not drew or bool(difference(model.state_dict(), other.state_dict())),
        f"build() must give other weights for another seed if it draws from torch's generator, but did not for {design}",
        guess,
    )
    return model


def _build(
    space: SearchSpace, design: Design, example: Tensor, classes: int, seed: int
) -> tuple[nn.Module, bool]:
    """The network, and whether building it used torch's generator."""
    inputs = example.clone()
    with untouched("build()", "torch"), seeded(seed):
        before = torch.get_rng_state()
        try:
            model: object = space.build(design, inputs, classes)
        except Exception as error:
            guess = "layers do not fit together for these options"
            if (
                isinstance(error, KeyError)
                and error.args
                and error.args[0] in {choice.name for choice in space.choices}
            ):
                guess = "it reads a choice that is not active; look first at the choice that its `when` names"
            if isinstance(error, (AttributeError, TypeError)) and "Design" in str(error):
                guess = "it changes the design, which is frozen; work on a copy, dict(design)"
            raise AssertionError(
                f"build() must make a network of every design, but raised {error!r} for {design}: {guess}"
            ) from error
        drew = not torch.equal(before, torch.get_rng_state())
    breach = "build() must return a module, but returned "
    require(
        isinstance(model, nn.Module),
        f"{breach}{type(model).__name__}",
        "`return model` is missing, or it is a class",
    )
    assert isinstance(model, nn.Module)
    require(
        torch.equal(inputs, example),
        "build() must leave the example as it is, but changed it",
        "a layer works in place on it",
    )
    return model, drew


def _check_samples_apart(model: nn.Module, example: Tensor, subject: str) -> None:
    inputs = batch_like(example)
    together = answer(model, inputs, subject)
    alone = torch.cat([answer(model, inputs[i : i + 1], subject) for i in range(len(inputs))])
    error, scale = float((together - alone).abs().max()), float(alone.abs().max())
    breach = f"the logits of a sample must not depend on the others in its batch, but {error:.3g} of {scale:.3g} does in {subject}"
    require(
        error <= 1e-3 * scale + 1e-6,
        breach,
        "it reshapes across samples, or normalizes over the batch while evaluated",
    )
    total = together.exp().sum(1) if bool((together <= 0).all()) else together.sum(1)
    normal = torch.allclose(total, torch.ones_like(total)) and bool((together <= 1).all())
    require(
        not normal,
        f"{subject} must give logits, but gave probabilities",
        "a softmax at its end, which the loss has already",
    )


def _check_sites(model: nn.Module, design: Design, compressors: Sequence[Compressor]) -> None:
    modules = dict(model.named_modules(remove_duplicate=False))
    for compressor in compressors:
        for site in settings_of(design, compressor.kind):
            known = [name for name in modules if name]
            breach = f"the site of a {compressor.kind!r} choice must name a module, but {site!r} is none of {known} for {design}"
            guess = "build() adds the layer under another name, or not for every design, and the choice lacks a `when`"
            require(site in modules, breach, guess)


def _check_compressed(
    model: nn.Module,
    design: Design,
    compressors: Sequence[Compressor],
    example: Tensor,
    classes: int,
) -> None:
    subject = f"the compressed network of {design}"
    try:
        compressed = compress(model, design, compressors, example)
    except Exception as error:
        guess = "two sites share channels or a site holds no layer of that sort; choose such things together or not at all"
        raise AssertionError(
            f"every design must suit the compressors, but {design} raised {error!r}: perhaps {guess}"
        ) from error
    check_logits(compressed, example, classes, subject)
    check_cost(compressed, example, subject)


def _check_kinds(
    space: SearchSpace,
    compressors: Sequence[Compressor],
    example: Tensor,
    classes: int,
    rng: np.random.Generator,
) -> None:
    two = Split(torch.cat([example[:1], example[:1]]), torch.tensor([0, 1]))
    try:
        check_kinds(
            space,
            compressors,
            Task(
                name="check",
                train=two,
                validation=two,
                test=two,
                classes=max(2, classes),
                kind="binary" if classes == 1 else "classification",
            ),
            rng,
        )
    except ValueError as error:
        guess = "its compressor was not given to this check, or build() reads another name"
        raise AssertionError(f"{error}: perhaps {guess}") from error
