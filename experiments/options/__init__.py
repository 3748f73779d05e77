"""The options that experiments share: limits, how candidates are trained, and how the search goes."""

from experiments.options.first_of import FirstOf
from experiments.options.limits import Limits
from experiments.options.search import SearchOptions
from experiments.options.training import TrainingOptions

__all__ = ["FirstOf", "Limits", "SearchOptions", "TrainingOptions"]
