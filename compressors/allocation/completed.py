"""Genotypes of which only some options are stated."""

from collections.abc import Hashable, Mapping

from nas.space import Choices, Genotype


def completed(choices: Choices, stated: Mapping[str, Hashable]) -> Genotype:
    """The genotype with the options that are stated, by the names of choices, and the first option
    of every other choice.
    """
    genes = list[int]()
    for choice in choices:
        option = stated.get(choice.name)
        genes.append(choice.options.index(option) if option in choice.options else 0)
    return choices.canonical(genes)
