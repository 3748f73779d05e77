"""Mutation, crossover and neighborhoods of genotypes with conditional choices."""

from collections.abc import Iterator

import numpy as np
from deap import tools

from nas.space import Choices, Genotype


def fill_inactive(
    choices: Choices, genotype: Genotype, donor: Genotype, rng: np.random.Generator
) -> list[int]:
    """The genes of a genotype, with a value to inherit in place of each inactive gene.

    The 0 of an inactive gene is not a decision: if it were inherited, every choice that becomes
    active in a child would start from its first option. An inactive gene is copied from `donor` if
    it is active there, and drawn uniformly otherwise.
    """
    genes: list[int] = rng.integers(choices.arities).tolist()
    for source in (donor, genotype):
        for index in choices.active(source):
            genes[index] = source[index]
    return genes


def mutate(choices: Choices, genotype: Genotype, rng: np.random.Generator) -> Genotype:
    """A canonical neighbor: one active choice, chosen uniformly, takes another of its options.

    Choices that become active are drawn uniformly; what constraints tie to the choice follows it.
    If no active choice has a second option, the genotype itself is returned.
    """
    mutable = [index for index in choices.active(genotype) if choices.arities[index] > 1]
    if not mutable:
        return genotype
    genes = fill_inactive(choices, genotype, genotype, rng)
    index = mutable[rng.integers(len(mutable))]
    arity = choices.arities[index]
    genes[index] = (genes[index] + 1 + int(rng.integers(arity - 1))) % arity
    return choices.nearest(genes, kept=[index])


def offspring(
    choices: Choices, first: Genotype, second: Genotype, rng: np.random.Generator
) -> list[Genotype]:
    """Two canonical children of two parents by uniform crossover, then mutation of one choice on
    average.

    DEAP's operators draw from the global generators: call this within a `DeapRng` block.
    """
    children = (
        fill_inactive(choices, first, second, rng),
        fill_inactive(choices, second, first, rng),
    )
    tools.cxUniform(*children, indpb=0.5)
    for genes in children:
        highest = [arity - 1 for arity in choices.arities]
        tools.mutUniformInt(genes, low=0, up=highest, indpb=1 / len(genes))
    return [choices.nearest(genes) for genes in children]


def neighbors(choices: Choices, genotype: Genotype, rng: np.random.Generator) -> Iterator[Genotype]:
    """Every canonical single mutation in random order: one per other option of each active choice.

    Choices that become active are drawn uniformly, at the moment their neighbor is yielded; what
    constraints tie to the choice follows it.
    """
    moves = [
        (index, option)
        for index in choices.active(genotype)
        for option in range(choices.arities[index])
    ]
    for move in rng.permutation(len(moves)):
        index, option = moves[move]
        if option != genotype[index]:
            genes = fill_inactive(choices, genotype, genotype, rng)
            genes[index] = option
            yield choices.nearest(genes, kept=[index])
