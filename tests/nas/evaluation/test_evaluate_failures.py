from collections.abc import Hashable, Mapping
from typing import Any

import pytest
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from nas.data import Task
from nas.objective import Status
from nas.space import Design
from nas.strategy import Proposal
from tests.nas.evaluators import DEEP, SHALLOW, Space, evaluator


def test_what_a_loss_raises_is_a_failure_with_its_place(tiny_task: Task) -> None:
    def breaking(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        raise ZeroDivisionError("no such luck")

    evaluation, trained = evaluator(tiny_task, loss=breaking)(0, Proposal(DEEP))
    line = breaking.__code__.co_firstlineno + 1
    assert evaluation.status is Status.FAILED
    assert evaluation.reason == f"ZeroDivisionError: no such luck (breaking, line {line})"
    # What it costs was known before.
    assert evaluation.metrics["params"] == 171
    assert evaluation.traceback.startswith("Traceback (most recent call last):\n")
    assert f"line {line}, in breaking\n" in evaluation.traceback
    assert "accuracy" not in evaluation.metrics
    assert evaluation.history == ()
    assert trained is None


@pytest.mark.fault(1)
def test_what_a_space_raises_is_a_failure(tiny_task: Task) -> None:
    class Broken(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            return super().build(Design({**design, "depth": design["deep"]}), example, classes)

    evaluation, trained = evaluator(tiny_task, space=Broken())(0, Proposal(DEEP))
    assert evaluation.status is Status.FAILED
    assert evaluation.reason.startswith("KeyError: 'deep' (build, line ")
    assert evaluation.metrics == {}
    assert trained is None


@pytest.mark.fault(2)
def test_a_diverged_loss_is_a_failure(tiny_task: Task) -> None:
    def diverging(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        return said.sum() * float("nan")

    evaluation, _ = evaluator(tiny_task, loss=diverging)(0, Proposal(SHALLOW))
    assert evaluation.status is Status.FAILED
    assert evaluation.reason.startswith(
        "DivergedError: the training loss must stay finite, but got nan in epoch 1 of 2 (fit, "
    )


@pytest.mark.parametrize(("classes", "shape"), [(4, "[4]"), (1, "[1]")])
def test_logits_of_another_shape_are_a_failure(tiny_task: Task, classes: int, shape: str) -> None:
    class Wrong(Space):
        def build(self, design: Design, example: Tensor, _: int) -> nn.Module:
            return super().build(design, example, classes)

    evaluation, _ = evaluator(tiny_task, space=Wrong())(0, Proposal(DEEP))
    assert evaluation.status is Status.FAILED
    assert evaluation.reason.startswith(
        f"ValueError: a network must give logits [N, 3], but for one sample it gives {shape} ("
    )


def test_a_genotype_outside_of_the_space_is_no_failure_of_a_candidate(tiny_task: Task) -> None:
    with pytest.raises(ValueError, match="gene of 'depth' must be in 0 … 1, but got 2"):
        evaluator(tiny_task)(0, Proposal((2, 0, 0, 0)))


def test_an_interrupt_is_no_failure_of_a_candidate(tiny_task: Task) -> None:
    def interrupted(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluator(tiny_task, loss=interrupted)(0, Proposal(DEEP))


def test_a_cost_that_rises_in_training_is_a_failure(tiny_task: Task) -> None:
    class Opportunist:
        """Prunes less once it has seen trained weights."""

        kind = "bits"

        def apply(
            self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
        ) -> nn.Module:
            batches: Any = model.get_submodule("norm").num_batches_tracked
            return ChannelPruning().apply(model, {"hidden": 0.25 if batches > 0 else 0.5}, example)

    evaluation, trained = evaluator(tiny_task, compressors=[Opportunist()])(0, Proposal(DEEP))
    assert evaluation.status is Status.FAILED
    # From 4 to 6 channels, each with 16 weights and 3 in the head, of 8 bits, a bias of 4 bytes and
    # a multiplier of 2.
    assert (
        "costs must not rise in training, but flash_bytes 168 became 218, macs 76 became 114"
        in evaluation.reason
    )
    assert 218 - 168 == 2 * (16 + 3 + 4 + 2)
    assert trained is None
