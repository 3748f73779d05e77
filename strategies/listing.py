"""All designs of a space, one after the other."""

from collections.abc import Iterator

from nas.space import Choices, Genotype


def designs(choices: Choices) -> Iterator[Genotype]:
    """Every canonical genotype once, in lexicographic order, made as it is asked for."""
    genes = [0] * len(choices)
    while True:
        yield tuple(genes)
        for index in reversed(range(len(genes))):
            if choices.is_active(index, genes) and genes[index] + 1 < choices.arities[index]:
                genes[index] += 1
                genes[index + 1 :] = [0] * (len(genes) - index - 1)
                break
        else:
            return
