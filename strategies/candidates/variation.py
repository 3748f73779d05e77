"""How a new genotype is made from told ones, where some choices are only active under others."""

from collections.abc import Iterator

import numpy as np
from deap import tools

from nas.space import Choices, Genotype


def filled(
    choices: Choices, genotype: Genotype, donor: Genotype, rng: np.random.Generator
) -> list[int]:
    """The genes of a genotype, with something to inherit in the place of the inactive ones.

    The 0 of an inactive gene is no decision: left there, a child in which the choice comes alive
    would always start from its first option. It is taken from `donor` where that one decided it,
    and drawn uniformly elsewhere.
    """
    genes: list[int] = rng.integers(choices.arities).tolist()
    for source in (donor, genotype):
        for index in choices.active(source):
            genes[index] = source[index]
    return genes


def mutated(choices: Choices, genotype: Genotype, rng: np.random.Generator) -> Genotype:
    """A canonical neighbor: one active choice takes another of its options, each equally likely.

    Choices that this brings to life are drawn uniformly. Where no active choice has a second
    option, the genotype itself is returned.
    """
    open_choices = [index for index in choices.active(genotype) if choices.arities[index] > 1]
    if not open_choices:
        return genotype
    genes = filled(choices, genotype, genotype, rng)
    index = open_choices[rng.integers(len(open_choices))]
    arity = choices.arities[index]
    genes[index] = (genes[index] + 1 + int(rng.integers(arity - 1))) % arity
    return choices.canonical(genes)


def offspring(
    choices: Choices, mother: Genotype, father: Genotype, rng: np.random.Generator
) -> list[Genotype]:
    """Two canonical children by uniform crossover and mutation, of one choice on average; within a
    `DeapStream` block.
    """
    one = filled(choices, mother, father, rng)
    two = filled(choices, father, mother, rng)
    tools.cxUniform(one, two, indpb=0.5)
    for genes in (one, two):
        highest = [arity - 1 for arity in choices.arities]
        tools.mutUniformInt(genes, low=0, up=highest, indpb=1 / len(genes))
    return [choices.canonical(one), choices.canonical(two)]


def neighbors(choices: Choices, genotype: Genotype, rng: np.random.Generator) -> Iterator[Genotype]:
    """All that `mutated` could make, in random order: one for each other option of each active
    choice, canonical.

    Choices that a mutation brings to life are drawn uniformly, when it is its turn.
    """
    moves = [
        (index, option)
        for index in choices.active(genotype)
        for option in range(choices.arities[index])
    ]
    for move in rng.permutation(len(moves)):
        index, option = moves[move]
        if option != genotype[index]:
            genes = filled(choices, genotype, genotype, rng)
            genes[index] = option
            yield choices.canonical(genes)
