"""The evaluation of one candidate, and the check that every kind of choice has an effect."""

from nas.evaluation.evaluator import Evaluator
from nas.evaluation.kinds import check_kinds
from nas.evaluation.measuring import TrainedCandidate

__all__ = ["Evaluator", "TrainedCandidate", "check_kinds"]
