import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from compressors.post_training import PostTraining
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Task
from nas.evaluation.repair import SQUEEZES, file_of, repair, shorten
from nas.experiment import Experiment
from nas.measure.sensitivity import bit_widths
from nas.objective import Epoch, Evaluation, Status
from nas.runs.export import find_candidate
from nas.runs.retrain import restored
from nas.runs.run import run
from nas.space import Choice, Choices, Design
from nas.strategy import Proposal
from nas.training.fit import logits
from tests.nas.evaluation.trained_spaces import CHOICES, FINETUNING, trained_network, trained_space
from tests.nas.evaluators import evaluator, same

EIGHT, FOUR = Design({"hidden.bits": 8, "head.bits": 8}), (3, 3)


def quantized(task: Task, design: Design = EIGHT) -> nn.Module:
    return compress(trained_network(task), design, [Quantization()], task.train.inputs)


def test_bits_go_down_until_the_file_fits_and_the_network_given_stays(tiny_task: Task) -> None:
    model, images = quantized(tiny_task), tiny_task.train.inputs
    before = copy.deepcopy(model.state_dict())
    longest = len(file_of(copy.deepcopy(model), images))
    for share in (0.95, 0.85, 0.75):
        found = shorten(model, EIGHT, CHOICES, [Quantization()], images, share * longest)
        assert found is not None
        assert found.size_bytes == len(file_of(found.model, images)) <= share * longest
        assert CHOICES.decode(CHOICES.encode(found.design)) == found.design
        made = quantized(tiny_task, found.design)
        assert bit_widths(made) == bit_widths(found.model)
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    assert shorten(model, EIGHT, CHOICES, [Quantization()], images, longest).design == EIGHT  # type: ignore[union-attr]


def test_the_layer_whose_bits_matter_least_for_their_bytes_gives_way(tiny_task: Task) -> None:
    model, images = quantized(tiny_task), tiny_task.train.inputs
    longest = len(file_of(copy.deepcopy(model), images))
    found = shorten(model, EIGHT, CHOICES, [Quantization()], images, longest - 1)
    assert found is not None
    wanted = logits(model, images).softmax(1)
    worth = {}
    for name in EIGHT:
        other = quantized(tiny_task, Design({**EIGHT, name: 6}))
        divergence = (wanted * (wanted.log() - logits(other, images).log_softmax(1))).sum(1).mean()
        worth[name] = float(divergence) / (longest - len(file_of(other, images)))
    cheapest = min(worth, key=worth.__getitem__)
    assert found.design == {**EIGHT, cheapest: 6}


@pytest.mark.parametrize(
    ("choices", "design"),
    [
        (Choices([Choice("", "bits", (8,))]), {"bits": 8}),
        (Choices([Choice("", "bits", (4, 8))]), {"bits": 4}),
        # A choice that depends on the bits keeps them.
        (
            Choices(
                [Choice("", "bits", (4, 8)), Choice("", "other", (0,), ("bits", frozenset({8})))]
            ),
            {"bits": 8, "other": 0},
        ),
    ],
)
def test_without_a_design_of_fewer_bits_nothing_is_shortened(
    choices: Choices, design: dict[str, int], tiny_task: Task
) -> None:
    model = quantized(tiny_task, Design({"": 8, "bits": design["bits"]}))
    images = tiny_task.train.inputs
    found = shorten(model, Design(design), choices, [Quantization()], images, 50)
    assert found is None


def trained_candidate(
    task: Task, limit: float | None, **parts: object
) -> tuple[Evaluation, object]:
    limits = {} if limit is None else {"size_bytes": limit}
    settings = {"space": trained_space(task), "recipe": FINETUNING} | parts
    return evaluator(task, limits=limits, **settings)(0, Proposal(FOUR))  # type: ignore[arg-type]


def length_before_training(task: Task) -> int:
    design = CHOICES.decode(FOUR)
    return len(file_of(quantized(task, design), task.train.inputs))


def test_a_file_that_training_makes_too_long_is_repaired(tiny_task: Task) -> None:
    limit = length_before_training(tiny_task) + 4
    free, _ = trained_candidate(tiny_task, None)
    assert free.metrics["size_bytes"] > limit
    found, trained = trained_candidate(tiny_task, limit)
    assert found.status is Status.OK
    assert found.metrics["size_bytes"] <= limit
    assert found.genotype == FOUR
    assert sum(found.design.values()) < 8  # type: ignore[arg-type]
    assert len(found.history) > len(free.history)
    again, same_one = trained_candidate(tiny_task, limit)
    assert again.metrics == found.metrics
    assert same(trained, same_one)  # type: ignore[arg-type]


def test_a_file_that_cannot_be_repaired_is_over_budget_and_was_a_trial(tiny_task: Task) -> None:
    limit = length_before_training(tiny_task) + 4
    fixed = Choices([Choice("hidden", "bits", (4,)), Choice("head", "bits", (4,))])
    long, trained = evaluator(
        tiny_task,
        space=trained_space(tiny_task, fixed),
        recipe=FINETUNING,
        limits={"size_bytes": limit},
    )(0, Proposal((0, 0)))
    assert (long.status, trained) == (Status.OVER_BUDGET, None)
    assert long.metrics["size_bytes"] > limit
    assert long.reason == f"size_bytes {long.metrics['size_bytes']:g} > {limit:g} when trained"
    assert "accuracy" not in long.metrics
    assert long.is_trial


@pytest.mark.parametrize("compressor", [Quantization(), PostTraining()])
def test_training_goes_on_after_each_change_of_bits(
    compressor: Quantization | PostTraining, tiny_task: Task
) -> None:
    images = tiny_task.train.inputs
    model = compress(trained_network(tiny_task), EIGHT, [compressor], images)
    limit, trained = 0.8 * len(file_of(copy.deepcopy(model), images)), list[nn.Module]()

    def train(short: nn.Module, rate_penalty: float) -> tuple[Epoch, ...]:
        assert rate_penalty == 0.0
        trained.append(short)
        return (Epoch(0.0, 0.5),)

    found, design, history = repair(model, EIGHT, CHOICES, [compressor], images, limit, train)
    assert len(file_of(found, images)) <= limit
    assert trained == [found]
    assert history == (Epoch(0.0, 0.5),)
    assert design != EIGHT


@pytest.mark.parametrize("options", [(8,), (4, 8)])
def test_a_file_that_is_little_too_long_is_squeezed(
    options: tuple[int, ...], tiny_task: Task
) -> None:
    images, compressor = tiny_task.train.inputs, Quantization()
    model = compress(trained_network(tiny_task), EIGHT, [compressor], images)
    choices = Choices([Choice(name, "bits", options) for name in ("hidden", "head")])
    limit, penalties = len(file_of(copy.deepcopy(model), images)) - 4, list[float]()

    def train(long: nn.Module, rate_penalty: float) -> tuple[Epoch, ...]:
        penalties.append(rate_penalty)
        if rate_penalty == SQUEEZES[1]:
            with torch.no_grad():
                long.get_parameter("hidden.weight").mul_(0.5)
                long.get_parameter("hidden.weight")[0].zero_()
        return (Epoch(0.0, 0.5),)

    found, design, history = repair(model, EIGHT, choices, [compressor], images, limit, train)
    assert len(file_of(found, images)) <= limit
    assert penalties == [*SQUEEZES[:2]]
    assert design == EIGHT
    assert len(history) == 2


def test_a_run_remembers_the_bits_of_a_repaired_candidate(
    tiny: Callable[..., Experiment], tiny_task: Task, tmp_path: Path
) -> None:
    limit = length_before_training(tiny_task) + 4
    fewer = Choices([Choice("hidden", "bits", (2, 3, 4)), Choice("head", "bits", (2, 4))])
    experiment = tiny(
        {"size_bytes": limit},
        space=trained_space(tiny_task, fewer),
        recipe=FINETUNING,
        trials=6,
        patience=20,
    )
    whole = run(experiment, tmp_path / "whole")
    repaired = [
        found
        for found in whole.evaluations
        if found.status is Status.OK and found.design != fewer.decode(found.genotype)
    ]
    assert repaired
    again = run(experiment, tmp_path / "whole")
    assert again.evaluations == whole.evaluations
    stored = find_candidate(tmp_path / "whole", str(repaired[0].id))
    model = restored(experiment, tmp_path / "whole", stored)
    length = repaired[0].metrics["size_bytes"]
    assert len(file_of(model, tiny_task.train.inputs)) == length


def test_only_runs_of_networks_that_come_trained_say_so(
    tiny: Callable[..., Experiment], tiny_task: Task
) -> None:
    space = trained_space(tiny_task)
    assert tiny(space=space, recipe=FINETUNING).describe()["size_bytes"] == "packed"
    # Epochs before compression change the weights, so the file is not known.
    assert "size_bytes" not in tiny(space=space).describe()
    assert "size_bytes" not in tiny().describe()
