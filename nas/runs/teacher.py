"""The loss of an experiment, by its teacher if it has one."""

from dataclasses import asdict
from pathlib import Path

import torch

from nas.experiment import Experiment
from nas.seeds import derive, seeded
from nas.training import checkpoint as weights
from nas.training.distil import Distillation
from nas.training.fit import Loss, cross_entropy, fit


def loss_of(experiment: Experiment, out: Path) -> Loss:
    """Plain cross-entropy, or distillation from a teacher that is given, or trained once for the
    run directory.
    """
    teacher, task = experiment.teacher, experiment.task
    if teacher is None:
        return cross_entropy
    seed, recipe = derive(experiment.seed, "teacher"), experiment.recipe
    with seeded(seed):
        model = teacher.build(task.example, task.classes)
        if teacher.weights is not None and not weights.load(model, teacher.weights):
            raise ValueError(
                f"{teacher.weights} must hold the teacher's weights, but is missing, damaged or of another network"
            )
        if teacher.epochs > 0:
            # Named after all that it is made from: whoever changes any of that gets another
            # teacher.
            path = (
                out
                / f"teacher-{weights.digest(model, task.digest, asdict(recipe), teacher.epochs, seed)}.npz"
            )
            if not weights.load(model, path):
                shuffle = torch.Generator().manual_seed(seed)
                fit(
                    model,
                    task,
                    recipe,
                    epochs=teacher.epochs,
                    lr=recipe.lr,
                    loss=cross_entropy,
                    generator=shuffle,
                )
                weights.save(model, path)
    return Distillation(model, task.train.inputs, teacher.alpha, teacher.temperature, teacher.hints)
