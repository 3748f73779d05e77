"""What a table of divergences lets a search expect of candidates."""

import math

from compressors.allocation.problem import Problem
from nas.space import Choices, Genotype

# Of rounded floats; only a network that nothing changes has less.
_LEAST = 1e-9


class Expected:
    """The expected quality of a candidate before any is trained: minus the logarithm of the
    predicted divergence of its output, in nats (`Problem.divergence`).

    Args:
        problem: What the options of the space do.
        choices: The space that it was measured for.
    """

    # Both follow from the network and the images, which the header of a run has already.
    def __init__(self, problem: Problem, choices: Choices) -> None:
        self._problem = problem
        self._choices = choices

    def __call__(self, genotype: Genotype) -> float:
        """Higher for candidates of less divergence."""
        divergence = self._problem.divergence(self._choices.decode(genotype))
        return -math.log(max(divergence, _LEAST))
