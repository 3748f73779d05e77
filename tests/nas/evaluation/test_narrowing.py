"""Networks that are narrowed before their first phase of training, and compressed after it."""

from typing import Any

import pytest
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.data import Task
from nas.evaluation import candidate_training as module
from nas.evaluation.evaluator import Evaluator
from nas.experiment import Experiment
from nas.objective import Budget, Objective, Status
from nas.space import Choice, Choices, Design
from nas.strategy import Proposal
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork
from strategies.random_search import RandomSearch
from tests.nas.evaluation.trained_spaces import trained_network

CHOICES = Choices([Choice("hidden", "prune", (0.0, 0.75)), Choice("hidden", "bits", (2, 8))])
RECIPE = Recipe(epochs=2, finetune_epochs=1, batch_size=10, lr=0.02, finetune_lr=0.01)
NARROW = (1, 1)


class Untrained:
    """A space of networks that come with random weights."""

    choices = CHOICES

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """Two layers, the hidden one of 32 channels."""
        model = nn.Sequential(nn.Flatten())
        model.add_module("hidden", nn.Linear(16, 32))
        model.add_module("relu", nn.ReLU())
        model.add_module("head", nn.Linear(32, classes))
        return model


def evaluator(space: Any, task: Task, limits: Budget | None = None) -> Evaluator:
    return Evaluator(
        space=space,
        narrowing=(ChannelPruning(),),
        compressors=(Quantization(),),
        task=task,
        recipe=RECIPE,
        budget=limits or Budget({}),
        device=None,
        loss=cross_entropy,
        seed=0,
    )


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """The kind of the hidden layer, its width and the epochs of each phase of training."""
    seen = list[tuple[str, int, int]]()

    def recorded(model: nn.Module, **given: Any) -> Any:
        hidden = model.get_submodule("hidden")
        width = hidden.get_parameter("weight").shape[0]
        seen.append((type(hidden).__name__, width, given["epochs"]))
        return fit(model, **given)

    monkeypatch.setattr(module, "fit", recorded)
    return seen


@pytest.mark.parametrize("trained", [True, False])
def test_the_narrow_network_is_trained_before_it_is_quantized(
    tiny_task: Task, phases: list[tuple[str, int, int]], trained: bool
) -> None:
    space = TrainedNetwork(trained_network(tiny_task), CHOICES) if trained else Untrained()
    evaluation, candidate = evaluator(space, tiny_task)(0, Proposal(NARROW))
    assert (evaluation.status, len(evaluation.history)) == (Status.OK, 3)
    assert candidate is not None
    assert candidate.model.get_parameter("hidden.weight").shape == (8, 16)
    assert phases == [("Linear", 8, 2), ("QuantizedLinear", 8, 1)]


def test_a_trained_network_is_counted_by_its_file_and_can_be_measured_without_training(
    tiny_task: Task, phases: list[tuple[str, int, int]]
) -> None:
    space = TrainedNetwork(trained_network(tiny_task), CHOICES)
    evaluation, candidate = evaluator(space, tiny_task)(0, Proposal(NARROW, epochs=0))
    assert candidate is not None
    assert evaluation.metrics["size_bytes"] == len(candidate.packed)
    assert sum(epochs for *_, epochs in phases) == 0
    limit = Budget({"size_bytes": len(candidate.packed) - 40.0})
    refused, _ = evaluator(space, tiny_task, limit)(0, Proposal(NARROW))
    assert refused.status == Status.OVER_BUDGET
    fresh, _ = evaluator(Untrained(), tiny_task)(0, Proposal(NARROW, epochs=0))
    assert (fresh.status, "at least 1 epoch" in fresh.reason) == (Status.FAILED, True)


def test_the_header_of_a_run_has_what_narrows_where_anything_does(tiny_task: Task) -> None:
    def header(narrowing: Any) -> Any:
        return Experiment(
            space=Untrained(),
            narrowing=narrowing,
            compressors=(Quantization(),),
            task=tiny_task,
            recipe=RECIPE,
            objective=Objective(),
            strategy=RandomSearch,
            trials=1,
            seed=0,
        ).describe()

    plain, narrow = header(()), header((ChannelPruning(),))
    assert "narrowing" not in plain
    assert [part["name"] for part in narrow.pop("narrowing")] == ["ChannelPruning"]
    assert narrow == plain
