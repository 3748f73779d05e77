"""The design that a candidate of a run was made by."""

from collections.abc import Hashable, Mapping

from nas.objective import Evaluation
from nas.space import Choices, Design, Genotype


def made_design(choices: Choices, evaluation: Evaluation) -> Design:
    """The design of an evaluation that a journal holds, with the options that the space gives.

    They are those of the genotype, because JSON has made lists of tuples, but for whole numbers: a
    file that was too long after training has fewer bits than its genotype says.
    """
    return options_made(choices, evaluation.genotype, evaluation.design)


def options_made(choices: Choices, genotype: Genotype, design: Mapping[str, Hashable]) -> Design:
    """The design of a genotype, with the whole numbers of a stored one."""
    made = dict(choices.decode(genotype))
    for name, option in made.items():
        stored = design.get(name, option)
        if type(option) is int and type(stored) is int:
            made[name] = stored
    return Design(made)
