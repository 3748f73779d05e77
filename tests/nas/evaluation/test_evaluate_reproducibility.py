import dataclasses

import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Task
from nas.lowering import lower
from nas.objective import Status
from nas.packed import pack
from nas.space import Choice, Choices, Design, Genotype
from nas.strategy import Proposal
from nas.training.fit import accuracy, cross_entropy
from tests.nas.evaluators import DEEP, SHALLOW, Space, evaluator, same, untimed


class Poison:
    def __getattr__(self, name: str) -> object:
        raise AssertionError("the test split was read")


def test_a_candidate_is_the_same_whenever_it_is_evaluated(tiny_task: Task) -> None:
    first = evaluator(tiny_task)
    one, weights = first(0, Proposal(DEEP))
    first(1, Proposal(SHALLOW))
    torch.manual_seed(123)
    again, weights_again = first(7, Proposal(DEEP))
    assert untimed(again) == dataclasses.replace(untimed(one), id=7)
    assert same(weights, weights_again)
    elsewhere, weights_elsewhere = evaluator(tiny_task)(2, Proposal(DEEP))
    assert untimed(elsewhere) == dataclasses.replace(untimed(one), id=2)
    assert same(weights, weights_elsewhere)


def test_another_seed_of_the_run_gives_other_weights(tiny_task: Task) -> None:
    one, weights = evaluator(tiny_task, seed=0)(0, Proposal(DEEP))
    other, other_weights = evaluator(tiny_task, seed=1)(0, Proposal(DEEP))
    assert one.history != other.history
    assert not same(weights, other_weights)


def test_every_candidate_sees_its_samples_in_an_order_of_its_own(tiny_task: Task) -> None:
    def order(genotype: Genotype, seed: int) -> list[int]:
        seen: list[int] = []

        def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
            seen.extend(index.tolist())
            return cross_entropy(said, labels, index)

        evaluator(tiny_task, loss=loss, seed=seed)(0, Proposal(genotype))
        return seen

    assert order(DEEP, 0) == order(DEEP, 0)
    assert order(DEEP, 0) != order(SHALLOW, 0)
    assert order(DEEP, 0) != order(DEEP, 1)


def test_an_evaluation_leaves_the_global_generator_as_it_was(tiny_task: Task) -> None:
    before = torch.get_rng_state()
    evaluator(tiny_task)(0, Proposal(DEEP))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_untrained_network_takes_the_trained_weights(tiny_task: Task) -> None:
    compressors = (ChannelPruning(kind="width"), Quantization())

    class Pruned(Space):
        choices = Choices(
            [Choice("hidden", "width", (0.25, 0.5)), Choice("hidden", "bits", (4, 8))]
        )

        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            return super().build(Design({"depth": 2, "hidden.width": 8}), example, classes)

    evaluate = evaluator(tiny_task, space=Pruned(), compressors=compressors)
    evaluation, trained = evaluate(0, Proposal((1, 0)))
    assert trained is not None, evaluation.reason
    design = Pruned.choices.decode((1, 0))
    loaded = compress(
        Pruned().build(design, tiny_task.example, 3), design, compressors, tiny_task.example
    )
    assert accuracy(loaded, tiny_task.validation) != evaluation.metrics["accuracy_fake_quant"]
    loaded.load_state_dict(trained.model.state_dict())
    assert accuracy(loaded, tiny_task.validation) == evaluation.metrics["accuracy_fake_quant"]
    assert pack(lower(loaded, tiny_task.example)) == trained.packed


def test_no_test_data_are_read(tiny_task: Task) -> None:
    task = dataclasses.replace(tiny_task)
    object.__setattr__(task, "test", Poison())
    for genotype in (DEEP, SHALLOW):
        evaluation, _ = evaluator(task)(0, Proposal(genotype))
        assert (evaluation.status, evaluation.reason) == (Status.OK, "")


def test_the_design_is_not_the_candidates_to_change(tiny_task: Task) -> None:
    class Thorough(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            assert list(design.items()) == [("depth", 1), ("head.bits", 8)]
            assert "hidden.width" not in design
            assert len(design) == 2
            return super().build(design, example, classes)

    evaluation, _ = evaluator(tiny_task, space=Thorough())(0, Proposal(SHALLOW))
    assert evaluation.status is Status.OK, evaluation.reason
