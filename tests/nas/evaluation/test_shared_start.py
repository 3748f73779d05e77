"""Candidates that start from shared weights."""

from dataclasses import replace

import torch

from nas.data import Task
from nas.evaluation.evaluator import Evaluator
from nas.objective import Status
from nas.seeds import seeded
from nas.strategy import Proposal
from nas.training.recipe import Recipe
from nas.training.shared_weights import SharedWeights, gathered
from tests.nas.evaluators import DEEP, Space, evaluator, same, untimed
from tests.nas.training.training_runs import train

NARROW = (1, 0, 1, 1)


def shared_by(task: Task) -> SharedWeights:
    """The weights of a wide network that was trained."""
    with seeded(0):
        model = Space().build(Space.choices.decode(DEEP), task.example, task.classes)
    train(model, task, epochs=12)
    return gathered([model])


def reached(given: Evaluator, epochs: float | None = None) -> float:
    evaluation, _ = given(0, Proposal(DEEP, epochs))
    assert evaluation.status is Status.OK, evaluation.reason
    return evaluation.metrics["accuracy"]


def test_a_candidate_that_is_not_trained_is_what_its_weights_were_trained_to_be(
    tiny_task: Task,
) -> None:
    """Also its statistics are, which are not shared."""
    untrained = evaluator(tiny_task, recipe=Recipe(epochs=0, finetune_epochs=0))
    assert reached(replace(untrained, shared=shared_by(tiny_task))) > 0.9 > reached(untrained)


def test_candidates_do_not_change_what_others_start_from(tiny_task: Task) -> None:
    shared = shared_by(tiny_task)
    before = {key: tensor.clone() for key, tensor in shared.tensors.items()}
    given = replace(evaluator(tiny_task), shared=shared)
    alone, alone_trained = given(0, Proposal(DEEP))
    given(1, Proposal(NARROW))
    again, again_trained = given(0, Proposal(DEEP))
    assert untimed(alone) == untimed(again)
    assert same(alone_trained, again_trained)
    assert all(torch.equal(tensor, before[key]) for key, tensor in shared.tensors.items())
