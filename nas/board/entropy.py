"""How widely a search still looks, whatever its strategy."""

from collections import Counter
from collections.abc import Sequence
from math import log
from statistics import fmean

from nas.objective import Evaluation
from nas.space import Choices


def entropy_of_choices(evaluations: Sequence[Evaluation], choices: Choices) -> float:
    """The mean over choices with several options of the entropy of the options that these candidates
    have, relative to that of equally frequent ones: 1 if nothing is preferred, 0 if all are the same. Of a
    conditional choice, not to be active counts as one more option.
    """
    shares = [
        _entropy([repr(each.design.get(choice.name)) for each in evaluations])
        / log(len(choice.options) + (choice.when is not None))
        for choice in choices
        if len(choice.options) > 1
    ]
    return min(1.0, fmean(shares)) if shares else 0.0


def _entropy(options: Sequence[str]) -> float:
    """In nats, of a sample."""
    counts = Counter(options).values()
    return -sum(count / len(options) * log(count / len(options)) for count in counts)
