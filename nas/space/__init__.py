"""Search spaces: an ordered tuple of finite choices, and the genotypes that index into it."""

from nas.space.choice import Choice
from nas.space.choices import Choices, Genotype
from nas.space.condition import AnyOf, Condition, Conditions
from nas.space.constraint import Constraint
from nas.space.design import Design
from nas.space.later import LATER
from nas.space.nni import from_nni
from nas.space.placed import placed
from nas.space.renamed_kinds import RENAMED_KINDS, present_name
from nas.space.search_space import PartSpace, SearchSpace, TrainedSpace

__all__ = [
    "LATER",
    "RENAMED_KINDS",
    "AnyOf",
    "Choice",
    "Choices",
    "Condition",
    "Conditions",
    "Constraint",
    "Design",
    "Genotype",
    "PartSpace",
    "SearchSpace",
    "TrainedSpace",
    "from_nni",
    "placed",
    "present_name",
]
