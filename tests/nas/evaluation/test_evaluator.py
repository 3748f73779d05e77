import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from compressors.quantization import Quantization
from nas.data import Split, Task
from nas.measure import COSTS, Roofline, costs
from nas.objective import Curve, Status
from nas.packed import unpack
from nas.program import score
from nas.strategy import Proposal
from nas.training.fit import accuracy, cross_entropy
from nas.training.recipe import Recipe
from tests.nas.evaluators import DEEP, SHALLOW, Watching, costs_of, evaluator, same, untimed


def test_a_candidate_is_built_trained_compressed_and_measured(tiny_task: Task) -> None:
    evaluation, trained = evaluator(tiny_task)(3, Proposal(DEEP))
    assert (evaluation.id, evaluation.genotype, evaluation.epochs) == (3, DEEP, None)
    assert evaluation.design == {"depth": 2, "hidden.width": 8, "hidden.bits": 4, "head.bits": 8}
    assert (evaluation.status, evaluation.reason) == (Status.OK, "")
    assert len(evaluation.history) == 3
    assert evaluation.seconds > 0
    assert trained is not None
    assert type(trained.model.get_submodule("hidden")).__name__ == "QuantizedLinear"
    program = unpack(trained.packed)
    assert evaluation.metrics == {
        **costs(trained.model, program),
        "accuracy": score(program, tiny_task.validation),
        "accuracy_fake_quant": accuracy(trained.model, tiny_task.validation),
        "size_bytes": len(trained.packed),
    }
    assert evaluation.metrics["accuracy_fake_quant"] == pytest.approx(
        evaluation.history[-1].accuracy, abs=0.04
    )
    assert min(evaluation.metrics["accuracy"], evaluation.metrics["accuracy_fake_quant"]) > 0.6
    assert evaluation.metrics["size_bytes"] <= evaluation.metrics["flash_bytes"]


@pytest.mark.parametrize("given_up", [0, 1, 2, 3, 4])
def test_a_candidate_that_is_given_up_leaves_its_costs_and_its_history(
    tiny_task: Task, given_up: int
) -> None:
    recipe = Recipe(epochs=2, finetune_epochs=2, batch_size=16, lr=0.02, finetune_lr=0.01)
    compressor = Watching()
    whole, _ = evaluator(tiny_task, recipe=recipe)(0, Proposal(DEEP))
    candidates = evaluator(tiny_task, recipe=recipe, compressors=[Quantization(), compressor])
    shown: list[Curve] = []

    def stop(reached: Curve) -> bool:
        shown.append(tuple(reached))
        return len(reached) >= given_up

    evaluation, trained = candidates(0, Proposal(DEEP), stop)
    if given_up == 4:
        assert (evaluation.status, evaluation.metrics) == (Status.OK, whole.metrics), (
            "all epochs are there"
        )
        assert trained is not None
    else:
        assert (evaluation.status, trained) == (Status.STOPPED, None)
        assert evaluation.reason == f"given up after {given_up} of 4 epochs"
        assert evaluation.metrics == costs_of(DEEP, tiny_task)
    assert evaluation.history == whole.history[:given_up]
    assert set(shown) == {whole.history[:epochs] for epochs in range(min(given_up, 3) + 1)}
    compressed = sum(batches > 0 for batches, _ in compressor.seen)
    assert compressed == (0 if given_up < 2 else 1), (
        "what is given up in its first phase is not compressed"
    )


def test_over_budget_is_measured_and_never_trained(tiny_task: Task) -> None:
    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        raise AssertionError("it was trained")

    evaluation, trained = evaluator(
        tiny_task, loss=loss, limits={"size_bytes": 100, "macs": 1e6, "params": 99}
    )(0, Proposal(DEEP))
    assert evaluation.status is Status.OVER_BUDGET
    flash, params = costs_of(DEEP, tiny_task)["flash_bytes"], 128 + 16 + 27
    size = evaluation.metrics["size_bytes"]
    assert evaluation.reason == (
        f"size_bytes {size:g} > 100, params {params} > 99"
        " (size_bytes is predicted, with an error of 3.0%)"
    )
    counted = {"params": params, "macs": 128 + 24, "peak_memory_bytes": 24}
    assert evaluation.metrics == {"size_bytes": size, "flash_bytes": flash, **counted}
    # 128 weights of 4 bits and 24 of 8, with 11 biases and multipliers.
    assert 64 + 24 + 11 * 4 < flash < 64 + 24 + 11 * 4 + 100
    assert flash - 11 * 4 < size < flash
    assert evaluation.history == ()
    assert trained is None
    at_the_limit = evaluator(tiny_task, limits={"size_bytes": flash, "params": params})
    assert at_the_limit(0, Proposal(DEEP))[0].status is Status.OK


def test_latency_is_measured_where_there_is_a_device(tiny_task: Task) -> None:
    device = Roofline("board", macs_per_second=1e3, bytes_per_second=1e9)
    evaluation, _ = evaluator(tiny_task, device=device)(0, Proposal(SHALLOW))
    assert evaluation.metrics.keys() == {"accuracy", "accuracy_fake_quant", *COSTS}
    assert evaluation.metrics["latency_ms"] == pytest.approx(48.0, rel=1e-3)  # 48 MACs
    slow = evaluator(tiny_task, device=device, limits={"latency_ms": 40.0})(0, Proposal(SHALLOW))[0]
    assert (slow.status, slow.reason) == (Status.OVER_BUDGET, "latency_ms 48 > 40")


def test_a_genotype_is_evaluated_as_its_canonical_form(tiny_task: Task) -> None:
    canonical, weights = evaluator(tiny_task)(0, Proposal(SHALLOW))
    inactive, same_weights = evaluator(tiny_task)(0, Proposal((0, 1, 1, 1)))
    assert inactive.genotype == SHALLOW
    assert untimed(inactive) == untimed(canonical)
    assert same(weights, same_weights)


@pytest.mark.parametrize(
    ("epochs", "split"), [(None, (2, 1)), (3, (2, 1)), (6, (4, 2)), (1, (0, 1)), (1.5, (1, 1))]
)
def test_the_epochs_of_a_proposal_are_split_around_the_compression(
    tiny_task: Task, epochs: float | None, split: tuple[int, int]
) -> None:
    watching = Watching()
    evaluation, trained = evaluator(tiny_task, compressors=[watching])(0, Proposal(DEEP, epochs))
    assert evaluation.status is Status.OK, evaluation.reason
    assert evaluation.epochs == epochs
    assert len(evaluation.history) == sum(split)
    assert trained is not None
    batches: Any = trained.model.get_submodule("norm").num_batches_tracked
    # Of 60 samples, 4 batches an epoch; first comes the compression that is only to be counted.
    assert [seen for seen, _ in watching.seen] == [0, 4 * split[0]]
    assert int(batches) == 4 * sum(split)


def test_less_than_an_epoch_is_a_failure(tiny_task: Task) -> None:
    evaluation, _ = evaluator(tiny_task)(0, Proposal(DEEP, 0.5))
    assert evaluation.status is Status.FAILED
    assert "trained for at least 1 epoch, but got 0.5" in evaluation.reason


def test_compressors_are_calibrated_on_256_training_inputs(tiny_task: Task) -> None:
    inputs = torch.cat([tiny_task.train.inputs] * 5)
    task = dataclasses.replace(
        tiny_task, train=Split(inputs, torch.cat([tiny_task.train.labels] * 5))
    )
    watching = Watching()
    found = evaluator(task, compressors=[watching])
    found(0, Proposal(DEEP))
    assert [len(example) for _, example in watching.seen] == [1, 256]
    assert torch.equal(watching.seen[0][1], inputs[:1])
    assert torch.equal(watching.seen[1][1], found.calibration)


def test_both_phases_train_with_their_rates_and_an_order_of_their_own(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[int] = []
    rates: list[float] = []

    class Recording(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    def loss(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        orders.extend(index.tolist())
        return cross_entropy(said, labels, index)

    monkeypatch.setattr(torch.optim, "AdamW", Recording)
    evaluator(tiny_task, loss=loss)(0, Proposal(DEEP))
    assert sorted(orders) == sorted(list(range(60)) * 3)
    assert orders[:60] != orders[60:120] != orders[120:]
    assert max(rates[:8]) == pytest.approx(0.02, rel=0.1)
    assert max(rates[8:]) == pytest.approx(0.01, rel=0.1)
    rates.clear()
    evaluator(tiny_task)(0, Proposal(DEEP, 1))
    assert max(rates) == pytest.approx(0.02, rel=0.1), "an only epoch trains from scratch"
