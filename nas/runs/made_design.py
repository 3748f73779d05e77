"""The design that a candidate of a run was made by."""

from nas.objective import Evaluation
from nas.space import Choices, Design


def made_design(choices: Choices, evaluation: Evaluation) -> Design:
    """The design of an evaluation that a journal holds, with the options that the space gives.

    They are those of the genotype, because JSON has made lists of tuples, but for whole numbers: a
    file that was too long after training has fewer bits than its genotype says.
    """
    made = dict(choices.decode(evaluation.genotype))
    for name, option in made.items():
        stored = evaluation.design.get(name, option)
        if type(option) is int and type(stored) is int:
            made[name] = stored
    return Design(made)
