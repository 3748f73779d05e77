"""The networks trained in floats, or read from a file of weights."""

import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from benchmarks.trained.cases import Case
from nas import durable
from nas.data import Split, Task
from nas.seeds import seeded
from nas.training.fit import cross_entropy, fit

FEW = 256


def trained(case: Case, task: Task, seed: int) -> nn.Module:
    """The network, trained in floats."""
    with seeded(seed):
        model = case.build(task.example.shape[1], task.classes)
    shuffle, recipe = torch.Generator().manual_seed(seed), case.recipe
    fit(
        model,
        task,
        recipe,
        epochs=recipe.epochs,
        lr=recipe.lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    return model.eval()


def floating(case: Case, task: Task, seed: int, path: Path | None) -> nn.Module:
    """The trained network; from the file at `path` if there is one, and else written there.

    Raises:
        ValueError: if the file is from another training: of other data, epochs or seed.
    """
    if path is None:
        return trained(case, task, seed)
    made_by = {"seed": str(seed), "task": task.digest, "recipe": _first_phase(case)}
    if path.exists():
        if (found := _metadata(path)) != made_by:
            raise ValueError(f"{path} must hold weights made by {made_by}, but made by {found}")
        model = case.build(task.example.shape[1], task.classes)
        model.load_state_dict(load_file(path))
        # As training leaves it, because other formats round differently.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    model = trained(case, task, seed)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    durable.write(path, save(state, made_by))
    return model


def _first_phase(case: Case) -> str:
    recipe = case.recipe
    return repr((recipe.epochs, recipe.lr, recipe.batch_size, recipe.weight_decay))


def _metadata(path: Path) -> dict[str, str] | None:
    with safe_open(path, "pt") as file:
        metadata: dict[str, str] | None = file.metadata()
    return metadata


def lightly_validated(task: Task) -> Task:
    """The task with few validation images, for trainings of which nothing is chosen by them."""
    few = Split(task.validation.inputs[:FEW], task.validation.labels[:FEW])
    return replace(task, validation=few)


def epoch_seconds(case: Case, task: Task, seed: int) -> float:
    """The processor time that an epoch of training in floats takes here and now, in seconds."""
    once, task = replace(case, recipe=replace(case.recipe, epochs=1)), lightly_validated(task)
    # The first steps of a process take seconds of imports and of set-up.
    trained(once, task.first(2 * case.recipe.batch_size), seed)
    start = time.process_time()
    trained(once, task, seed)
    return time.process_time() - start
