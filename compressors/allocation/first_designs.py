"""Designs that a search over a trained network starts from, because they are known to be good."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor, nn

from compressors.allocation.allocate import allocate
from compressors.allocation.problem import MACS, MEMORY, SIZE, Problem
from nas.space import Choices, Genotype
from nas.strategy import Facts

SHARES = (1.0, 0.9, 0.8)
"""The shares of the bytes of the budget for which bits are allocated."""


def first_designs(
    model: nn.Module,
    images: Tensor,
    choices: Choices,
    limits: Mapping[str, float],
    facts: Callable[[Genotype], Facts],
    problem: Problem | None = None,
) -> tuple[Genotype, ...]:
    """What `allocate` proposes for the bytes of the budget and for somewhat fewer, and at each
    bit-width, the same in all layers, the smallest pruning ratio, the same in all groups, by which
    the network fits.

    All other choices have their first option, which leaves a network as it is in `joint_choices`.

    Args:
        model: The trained network.
        images: Inputs like those of the task, [N, …]; some hundred are enough.
        choices: The space, with choices of the kinds "bits" and "prune".
        limits: The budget, by the names of costs.
        facts: The costs of a candidate, as those of the evaluator.
        problem: What `measured` finds of the same network, images and choices with a plain
            `Quantization`, so that it is not measured again.
    """
    found = [*_allocated(model, images, choices, limits, problem), *_uniform(choices, facts)]
    return tuple(dict.fromkeys(found))


def _allocated(
    model: nn.Module,
    images: Tensor,
    choices: Choices,
    limits: Mapping[str, float],
    problem: Problem | None,
) -> Iterator[Genotype]:
    given = {name: limits[name] for name in (SIZE, MACS, MEMORY) if name in limits}
    for share in SHARES if SIZE in given else SHARES[:1] if given else ():
        try:
            found = allocate(
                model,
                images,
                size_bytes=_share(given.get(SIZE), share),
                macs=_share(given.get(MACS), 1.0),
                peak_memory_bytes=_share(given.get(MEMORY), 1.0),
                choices=choices,
                problem=problem,
            )
        except ValueError:
            return  # nothing is small enough, or choices are not those of single layers
        problem = found.problem
        yield choices.encode(found.design)


def _share(limit: float | None, share: float) -> int | None:
    return None if limit is None else int(share * limit)


def _uniform(choices: Choices, facts: Callable[[Genotype], Facts]) -> Iterator[Genotype]:
    for bits in reversed(_options(choices, "bits")):
        for ratio in _options(choices, "prune") or (None,):
            same = {"bits": bits, "prune": ratio}
            genotype = choices.complete(
                {each.name: same[each.kind] for each in choices if each.kind in same}
            )
            if facts(genotype).excess == 0:
                yield genotype
                break


def _options(choices: Choices, kind: str) -> tuple[int, ...]:
    """All numbers that are options of a kind, in ascending order."""
    options = {
        option
        for choice in choices
        if choice.kind == kind
        for option in choice.options
        if isinstance(option, (int, float))
    }
    return tuple(sorted(options))  # type: ignore[arg-type]
