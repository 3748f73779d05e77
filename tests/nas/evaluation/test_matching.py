import pytest
import torch
from torch import Tensor, nn

from compressors.post_training import PostTraining
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Task
from nas.evaluation.matching import compress_and_match
from nas.layers import forward_hooks
from nas.objective import Status
from nas.packed import unpack
from nas.program import score
from nas.space import Choice, Choices
from nas.strategy import Proposal
from nas.training.recipe import Recipe
from tests.nas.evaluation.trained_spaces import FINETUNING, trained_network, trained_space
from tests.nas.evaluators import evaluator

DESIGN = {"hidden.bits": 1, "head.bits": 8}


def hidden(model: nn.Module, inputs: Tensor) -> Tensor:
    """What the first layer gives, [N, channels]."""
    seen = list[Tensor]()
    with forward_hooks([(model.get_submodule("hidden"), lambda _, __, y: seen.append(y))]):
        model.eval()(inputs)
    return seen[0].detach()


def test_channels_have_the_means_and_spreads_that_they_had(tiny_task: Task) -> None:
    model, inputs = trained_network(tiny_task), tiny_task.train.inputs
    wanted = hidden(model, inputs)
    before = hidden(compress(model, DESIGN, [Quantization()], inputs), inputs)
    after = hidden(compress_and_match(model, DESIGN, [Quantization()], inputs), inputs)
    assert torch.allclose(after.mean(0), wanted.mean(0), atol=1e-4)
    assert not torch.allclose(before.mean(0), wanted.mean(0), atol=1e-2)
    # Not of every channel: a spread is changed eight times at most.
    errors = [(found.std(0) - wanted.std(0)).abs().mean() for found in (before, after)]
    assert errors[1] < 0.2 * errors[0]


def test_channels_that_are_left_are_matched_with_those_after_pruning(tiny_task: Task) -> None:
    model, inputs = trained_network(tiny_task), tiny_task.train.inputs
    design = {**DESIGN, "hidden.prune": 0.5}
    pruned = compress(model, design, [ChannelPruning()], inputs)
    both = compress_and_match(model, design, [ChannelPruning(), Quantization()], inputs)
    found, wanted = hidden(both, inputs), hidden(pruned, inputs)
    assert found.shape == wanted.shape == (60, 16)
    assert torch.allclose(found.mean(0), wanted.mean(0), atol=1e-4)


def test_what_no_compressor_matches_is_compressed_alone(tiny_task: Task) -> None:
    model, inputs = trained_network(tiny_task), tiny_task.train.inputs
    one, other = (
        made(model, DESIGN, [PostTraining()], inputs) for made in (compress, compress_and_match)
    )
    assert torch.equal(one(inputs), other(inputs))


def test_a_candidate_of_no_epochs_is_scored_by_its_file(tiny_task: Task) -> None:
    evaluate = evaluator(tiny_task, space=trained_space(tiny_task), recipe=FINETUNING)
    evaluation, trained = evaluate(0, Proposal((0, 5), 0))
    assert (evaluation.status, evaluation.history, evaluation.epochs) == (Status.OK, (), 0)
    assert evaluation.is_trial
    assert trained is not None
    assert len(trained.packed) == evaluation.metrics["size_bytes"]
    assert score(unpack(trained.packed), tiny_task.validation) == evaluation.metrics["accuracy"]
    assert torch.equal(
        trained.model(tiny_task.validation.inputs).argmax(1),
        compress_and_match(
            trained_network(tiny_task), DESIGN, [Quantization()], tiny_task.train.inputs
        )(tiny_task.validation.inputs).argmax(1),
    )
    fitted, _ = evaluate(0, Proposal((0, 5), 1))
    assert len(fitted.history) == 1


@pytest.mark.parametrize("share", [1.0, 0.99])
def test_a_candidate_of_no_epochs_is_held_to_the_bytes_of_its_file(
    tiny_task: Task, share: float
) -> None:
    space = trained_space(tiny_task, Choices([Choice("", "bits", (3,))]))
    free, _ = evaluator(tiny_task, space=space, recipe=FINETUNING)(0, Proposal((0,), 0))
    limit = int(share * free.metrics["size_bytes"])
    held, _ = evaluator(
        tiny_task, space=space, recipe=FINETUNING, limits={"size_bytes": float(limit)}
    )(0, Proposal((0,), 0))
    assert held.status is (Status.OK if share == 1.0 else Status.OVER_BUDGET)


def test_networks_that_are_made_untrained_need_an_epoch(tiny_task: Task) -> None:
    evaluation, _ = evaluator(tiny_task, recipe=Recipe(batch_size=16))(0, Proposal((1, 1, 1, 1), 0))
    assert evaluation.status is Status.FAILED
    assert "at least 1 epoch, but got 0" in evaluation.reason
