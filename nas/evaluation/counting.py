"""What a candidate costs before it is trained."""

from collections.abc import Sequence
from enum import StrEnum

from torch import nn

from nas.compress import Compressor
from nas.data import Task
from nas.evaluation.coded_size import Parts, SizePrediction, expected_parts
from nas.lowering import lower_all_channels, lower_shapes
from nas.measure import Device, costs
from nas.objective import Budget
from nas.packed import pack
from nas.program import Program
from nas.program.dead_channels import without_dead_channels
from nas.space import SearchSpace, TrainedSpace
from nas.training.recipe import Recipe


def weights_known(space: SearchSpace, recipe: Recipe, narrowing: Sequence[Compressor] = ()) -> bool:
    """Whether candidates are compressed, or narrowed by some compressors, before any training, from
    a network that comes trained: about how long their files are is then known before they are
    trained.
    """
    comes_trained = isinstance(space, TrainedSpace) and space.comes_trained
    return comes_trained and (recipe.epochs == 0 or len(narrowing) > 0)


class SizeRule(StrEnum):
    """What `size_bytes` is before a candidate is trained: the length of its file as it is, of networks
    that come trained; a prediction of it, of others whose size is limited; or an upper bound.
    """

    PACKED = "packed"
    PREDICTED = "predicted"
    BOUND = "bound"


def size_rule(
    space: SearchSpace, recipe: Recipe, narrowing: Sequence[Compressor], budget: Budget
) -> SizeRule:
    """The rule for candidates of a space."""
    if weights_known(space, recipe, narrowing):
        return SizeRule.PACKED
    return SizeRule.PREDICTED if "size_bytes" in budget.limits else SizeRule.BOUND


def count(model: nn.Module, task: Task, device: Device | None) -> dict[str, float]:
    """The costs of a compressed network, trained or not; `size_bytes` is an upper bound.

    Raises:
        ValueError: if the network has no integer program, or does not give one logit for each
            class.
    """
    return costs(model, _program(model, task, device), device)


def count_packed(model: nn.Module, task: Task, device: Device | None) -> dict[str, float]:
    """The costs of a compressed network that is trained; `size_bytes` is the length of the file
    that it gives as it is.

    Raises:
        ValueError: as `count` does.
    """
    program = _checked(lower_all_channels(model, task.example), task)
    return {
        **costs(model, program, device),
        "size_bytes": float(len(pack(without_dead_channels(program)))),
    }


def count_predicted(
    model: nn.Module, task: Task, device: Device | None, prediction: SizePrediction
) -> tuple[dict[str, float], Parts]:
    """The costs of a compressed network that is not trained yet, with the predicted `size_bytes`, and
    the parts of its file that this was predicted from.

    Raises:
        ValueError: as `count` does.
    """
    program = _program(model, task, device)
    counted = costs(model, program, device)
    parts = expected_parts(program, counted["flash_bytes"])
    return {**counted, "size_bytes": prediction.predict(parts)}, parts


def _program(model: nn.Module, task: Task, device: Device | None) -> Program:
    # Costs follow from shapes, but what a device says may follow from the weights too.
    lowered = lower_shapes if device is None else lower_all_channels
    return _checked(lowered(model, task.example), task)


def _checked(program: Program, task: Task) -> Program:
    if program.tensors[-1].shape != (task.outputs,):
        found = list(program.tensors[-1].shape)
        what = "targets" if task.kind == "regression" else "logits"
        raise ValueError(
            f"a network must give {what} [N, {task.outputs}], but for one sample it gives {found}"
        )
    return program
