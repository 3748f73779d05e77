import dataclasses
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import Compressor, compress
from nas.data import Split, Task
from nas.evaluate import Evaluator, TrainedCandidate
from nas.kinds import check_kinds
from nas.lowering import lower
from nas.measure import COSTS, Device, Roofline, costs
from nas.objective import Budget, Curve, Evaluation, Status
from nas.packed import pack, unpack
from nas.program import Program, score
from nas.space import Choice, Choices, Design, Genotype
from nas.strategy import Facts, Proposal
from nas.training.fit import Loss, accuracy, cross_entropy
from nas.training.recipe import Recipe

RECIPE = Recipe(epochs=2, finetune_epochs=1, batch_size=16, lr=0.02, finetune_lr=0.01)


class Space:
    """A hidden layer with batch normalization, or none."""

    choices = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("hidden", "width", (4, 8), ("depth", frozenset({2}))),
            Choice("hidden", "bits", (4, 8), ("depth", frozenset({2}))),
            Choice("head", "bits", (2, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        features = example[0].numel()
        model = nn.Sequential(nn.Flatten())
        if design["depth"] == 2:
            width = design["hidden.width"]
            assert isinstance(width, int)
            model.add_module("hidden", nn.Linear(features, width, bias=False))
            model.add_module("norm", nn.BatchNorm1d(width))
            model.add_module("relu", nn.ReLU())
            features = width
        model.add_module("head", nn.Linear(features, classes))
        return model


DEEP, SHALLOW = (1, 1, 0, 1), (0, 0, 0, 1)


class Watching:
    """Changes nothing, and remembers what it is given."""

    kind = "bits"

    def __init__(self) -> None:
        self.seen: list[tuple[int, Tensor]] = []

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        batches: Any = model.get_submodule("norm").num_batches_tracked
        self.seen.append((int(batches), example))
        return model


class Poison:
    def __getattr__(self, name: str) -> object:
        raise AssertionError("the test split was read")


def evaluator(
    task: Task,
    *,
    space: Any = None,
    compressors: Sequence[Compressor] = (Quantization(),),
    recipe: Recipe = RECIPE,
    limits: Mapping[str, float] | None = None,
    device: Device | None = None,
    loss: Loss = cross_entropy,
    seed: int = 0,
) -> Evaluator:
    return Evaluator(
        space=space or Space(),
        compressors=compressors,
        task=task,
        recipe=recipe,
        budget=Budget(limits or {}),
        device=device,
        loss=loss,
        seed=seed,
    )


def untimed(evaluation: Evaluation) -> Evaluation:
    return dataclasses.replace(evaluation, seconds=0.0)


def same(first: TrainedCandidate | None, second: TrainedCandidate | None) -> bool:
    assert first is not None
    assert second is not None
    one, other = first.model.state_dict(), second.model.state_dict()
    equal = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert equal == (first.packed == second.packed)
    return equal


def costs_of(genotype: Genotype, task: Task) -> dict[str, float]:
    """The costs of an untrained candidate."""
    design = Space.choices.decode(genotype)
    model = compress(
        Space().build(design, task.example, task.classes), design, [Quantization()], task.example
    )
    return costs(model, lower(model, task.example))


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
    size, params = costs_of(DEEP, tiny_task)["flash_bytes"], 128 + 16 + 27
    assert evaluation.reason == f"size_bytes {size:g} > 100, params {params} > 99"
    counted = {"params": params, "macs": 128 + 24, "peak_memory_bytes": 24}
    assert evaluation.metrics == {"size_bytes": size, "flash_bytes": size, **counted}
    # 128 weights of 4 bits and 24 of 8, with 11 biases and multipliers.
    assert 64 + 24 + 11 * 4 < size < 64 + 24 + 11 * 4 + 100
    assert evaluation.history == ()
    assert trained is None
    at_the_limit = evaluator(tiny_task, limits={"size_bytes": size, "params": params})
    assert at_the_limit(0, Proposal(DEEP))[0].status is Status.OK


def test_latency_is_measured_where_there_is_a_device(tiny_task: Task) -> None:
    device = Roofline("board", macs_per_second=1e3, bytes_per_second=1e9)
    evaluation, _ = evaluator(tiny_task, device=device)(0, Proposal(SHALLOW))
    assert evaluation.metrics.keys() == {"accuracy", "accuracy_fake_quant", *COSTS}
    assert evaluation.metrics["latency_ms"] == pytest.approx(48.0, rel=1e-3)  # 48 MACs
    slow = evaluator(tiny_task, device=device, limits={"latency_ms": 40.0})(0, Proposal(SHALLOW))[0]
    assert (slow.status, slow.reason) == (Status.OVER_BUDGET, "latency_ms 48 > 40")


def test_what_a_loss_raises_is_a_failure_with_its_place(tiny_task: Task) -> None:
    def breaking(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        raise ZeroDivisionError("no such luck")

    evaluation, trained = evaluator(tiny_task, loss=breaking)(0, Proposal(DEEP))
    line = breaking.__code__.co_firstlineno + 1
    assert evaluation.status is Status.FAILED
    assert evaluation.reason == f"ZeroDivisionError: no such luck (breaking, line {line})"
    # What it costs was known before.
    assert evaluation.metrics["params"] == 171
    assert "accuracy" not in evaluation.metrics
    assert evaluation.history == ()
    assert trained is None


def test_what_a_space_raises_is_a_failure(tiny_task: Task) -> None:
    class Broken(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            return super().build(Design({**design, "depth": design["deep"]}), example, classes)

    evaluation, trained = evaluator(tiny_task, space=Broken())(0, Proposal(DEEP))
    assert evaluation.status is Status.FAILED
    assert evaluation.reason.startswith("KeyError: 'deep' (build, line ")
    assert evaluation.metrics == {}
    assert trained is None


def test_a_diverged_loss_is_a_failure(tiny_task: Task) -> None:
    def diverging(said: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        return said.sum() * float("nan")

    evaluation, _ = evaluator(tiny_task, loss=diverging)(0, Proposal(SHALLOW))
    assert evaluation.status is Status.FAILED
    assert evaluation.reason.startswith(
        "DivergedError: the training loss must stay finite, but got nan in epoch 1 of 2 (_trained, "
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


def test_a_genotype_is_evaluated_as_its_canonical_form(tiny_task: Task) -> None:
    canonical, weights = evaluator(tiny_task)(0, Proposal(SHALLOW))
    inactive, same_weights = evaluator(tiny_task)(0, Proposal((0, 1, 1, 1)))
    assert inactive.genotype == SHALLOW
    assert untimed(inactive) == untimed(canonical)
    assert same(weights, same_weights)


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


@pytest.mark.parametrize(
    ("epochs", "split"), [(None, (2, 1)), (3, (2, 1)), (6, (4, 2)), (1, (1, 0)), (1.5, (1, 1))]
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


def test_compressors_are_calibrated_on_the_first_256_training_inputs(tiny_task: Task) -> None:
    inputs = torch.cat([tiny_task.train.inputs] * 5)
    task = dataclasses.replace(
        tiny_task, train=Split(inputs, torch.cat([tiny_task.train.labels] * 5))
    )
    watching = Watching()
    evaluator(task, compressors=[watching])(0, Proposal(DEEP))
    assert [len(example) for _, example in watching.seen] == [1, 256]
    assert torch.equal(watching.seen[0][1], inputs[:1])
    assert torch.equal(watching.seen[1][1], inputs[:256])


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


def kinds(space: Any, compressors: Sequence[Compressor], task: Task) -> None:
    check_kinds(space, compressors, task, np.random.default_rng(0))


def test_kinds_that_are_read_or_applied_are_well(tiny_task: Task) -> None:
    kinds(Space(), (Quantization(),), tiny_task)
    kinds(Space(), (ChannelPruning(), Quantization()), tiny_task)


def test_a_kind_that_nobody_heeds_is_refused_with_both_sets(tiny_task: Task) -> None:
    message = (
        r"every kind of choice must be read by build\(\) or applied by a compressor, but \['bits'\] are not: "
        r"build\(\) of Space reads \['depth', 'width'\] and the compressors apply \['prune'\]"
    )
    with pytest.raises(ValueError, match=message):
        kinds(Space(), (ChannelPruning(),), tiny_task)


@pytest.mark.parametrize("look", ["items", "get", "in", "dict", "values"])
def test_every_way_of_reading_a_design_counts(tiny_task: Task, look: str) -> None:
    class Reading(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            reads: dict[str, Any] = {
                "items": lambda: list(design.items()),
                "get": lambda: [design.get("head.bits"), design.get("hidden.bits")],
                "in": lambda: ["head.bits" in design],
                "dict": lambda: [dict(design)],
                "values": lambda: list(design.values()),
            }
            reads[look]()
            return super().build(design, example, classes)

    kinds(Reading(), (), tiny_task)


def test_a_kind_that_only_some_designs_read_is_found(tiny_task: Task) -> None:
    class Rare(Space):
        choices = Choices(
            [
                Choice("", "depth", (1, 2)),
                Choice("hidden", "width", (4, 8), ("depth", frozenset({2}))),
            ]
        )

        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            if design["depth"] == 2 and torch.rand(()) < 0:
                raise RuntimeError("never")
            return super().build(design, example, classes)

    for seed in range(10):
        check_kinds(Rare(), (), tiny_task, np.random.default_rng(seed))


def test_one_design_that_cannot_be_built_does_not_stop_the_check_but_all_do(
    tiny_task: Task,
) -> None:
    class Fragile(Space):
        def __init__(self, fails: Iterator[bool]) -> None:
            self.fails = fails

        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            if next(self.fails):
                raise ZeroDivisionError("too thin")
            return super().build(design, example, classes)

    kinds(Fragile(iter([True, False] * 15)), (Quantization(),), tiny_task)
    with pytest.raises(ZeroDivisionError, match="too thin"):
        kinds(Fragile(iter([True] * 30)), (Quantization(),), tiny_task)


def test_looking_at_kinds_leaves_the_global_generator_as_it_was(tiny_task: Task) -> None:
    before = torch.get_rng_state()
    kinds(Space(), (Quantization(),), tiny_task)
    assert torch.equal(torch.get_rng_state(), before)


def test_facts_are_what_the_evaluation_measures_before_training(tiny_task: Task) -> None:
    class Broken(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            raise RuntimeError("no such network")

    limits = {"size_bytes": 100.0}
    found = evaluator(tiny_task, limits=limits)
    evaluation, _ = found(0, Proposal(DEEP))
    facts = found.facts(DEEP)
    assert facts.costs == evaluation.metrics
    assert facts.excess == Budget(limits).excess(evaluation.metrics) > 0
    assert evaluator(tiny_task, limits={"size_bytes": 1000.0}).facts(DEEP).excess == 0
    assert evaluator(tiny_task, space=Broken(), limits=limits).facts(DEEP) == Facts({}, math.inf)


def test_facts_leave_out_what_is_measured_anew_each_time(tiny_task: Task) -> None:
    class Clock:
        """A device whose answers grow."""

        name = "clock"
        calls = 0

        def latency(self, program: Program) -> float:
            return self.compare_with_float(program, nn.Identity())[0]

        def compare_with_float(self, program: Program, model: nn.Module) -> tuple[float, float]:
            Clock.calls += 1
            return 1.0 * Clock.calls, 2.5

    found = evaluator(tiny_task, device=Clock(), limits={"latency_ms": 1500.0, "size_bytes": 1e6})
    facts = found.facts(DEEP)
    assert "latency_ms" not in facts.costs
    assert (facts.excess, Clock.calls) == (0.0, 0)
    first, second = (found(id, Proposal(DEEP))[0] for id in (0, 1))
    assert first.metrics["latency_ratio"] == 2.5
    assert [first.metrics["latency_ms"], second.metrics["latency_ms"]] == [1000.0, 2000.0]
    assert (first.status, second.status) == (Status.OK, Status.OVER_BUDGET)


def test_the_program_of_an_untrained_candidate_costs_what_its_facts_say(tiny_task: Task) -> None:
    found = evaluator(tiny_task)
    assert found.program(DEEP).macs == found.facts(DEEP).costs["macs"]
