"""The training loss of an experiment: of labels alone, or distillation from its teacher."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.experiment import Experiment
from nas.runs.teacher_score import write_teacher
from nas.seeds import derive, seeded
from nas.training import checkpoint
from nas.training.distil import Distillation, Teacher
from nas.training.fit import DivergedError, Loss, cross_entropy, fit
from nas.training.given_network import load_weights
from nas.training.losses import loss_by
from nas.training.recipe_choices import alternatives


def loss_of(experiment: Experiment, out: Path, inputs: Tensor | None = None) -> Loss:
    """Cross-entropy, which stands for the loss of the task, or distillation if the experiment has a
    teacher.

    A teacher that is to be trained is trained once, and stored in the run directory `out`. It
    answers `inputs`, the samples that candidates are trained on (None: those of the search).

    Raises:
        ValueError: if the teacher's weights are missing, damaged or of another network, or its answers
            are not finite.
        RuntimeError: if its training diverges.
    """
    teacher = experiment.teacher
    if teacher is None:
        return cross_entropy
    model = _trained(teacher, experiment, out)
    if inputs is None:
        write_teacher(out, model, experiment.task)
    recipes = alternatives(experiment.recipe, experiment.space.choices)
    return Distillation(
        model,
        (experiment.search_task.train.inputs if inputs is None else inputs).to(
            experiment.accelerator
        ),
        teacher.alpha,
        teacher.temperature,
        teacher.hints,
        [recipe.augmentation for recipe in recipes],
        derive(experiment.seed, "views"),
        experiment.task.kind,
    )


def _load(model: nn.Module, weights: Path) -> None:
    if weights.suffix == ".safetensors":
        load_weights(model, weights)
    elif not checkpoint.load(model, weights):
        raise ValueError(
            f"{weights} must hold the teacher's weights, but is missing, damaged or of another network"
        )


def _trained(teacher: Teacher, experiment: Experiment, out: Path) -> nn.Module:
    seed, task = derive(experiment.seed, "teacher"), experiment.task
    # A teacher that learned from smoothed labels teaches worse (Müller et al., 2019).
    recipe = replace(experiment.recipe, label_smoothing=0.0)
    with seeded(seed):
        model = teacher.build(task.example, task.outputs)
        if teacher.weights is not None:
            _load(model, teacher.weights)
        if teacher.epochs > 0:
            # Named after all that determines it, so that a changed experiment trains another.
            where = () if experiment.accelerator == "cpu" else (experiment.accelerator,)
            name = checkpoint.digest(
                model, task.digest, recipe.describe(), teacher.epochs, seed, *where
            )
            path = out / f"teacher-{name}.npz"
            if not checkpoint.load(model, path):
                try:
                    fit(
                        model,
                        task.to(experiment.accelerator),
                        recipe,
                        epochs=teacher.epochs,
                        lr=recipe.lr,
                        loss=loss_by(recipe, task),
                        generator=torch.Generator().manual_seed(seed),
                    )
                except DivergedError as error:
                    raise RuntimeError(f"the teacher must be trained first, but {error}") from error
                checkpoint.save(model, path)
    return model
