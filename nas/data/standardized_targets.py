"""Targets of a regression, standardized by what is known of those of training samples."""

from dataclasses import replace

import torch
from torch import Tensor

from nas.data.task import Split, Task


def standardized_targets(task: Task) -> tuple[Task, Tensor, Tensor]:
    """The same task with targets of mean 0 and standard deviation 1, where networks begin, and the mean
    and the deviation of the training split's targets before, each [K]: what networks give, times the
    deviation, plus the mean, is in the unit of the targets, and so are errors, times the deviation.

    A target that is the same in all training samples keeps its spread.

    Raises:
        ValueError: if the task is no regression.
    """
    if task.kind != "regression":
        raise ValueError(f"a task must be a regression to have targets, but is a {task.kind}")
    targets = task.train.labels.view(len(task.train.labels), -1).double()
    mean, spread = targets.mean(0), targets.std(0, correction=0)
    deviation = torch.where(spread > 0.0, spread, 1.0)

    def scaled(part: Split) -> Split:
        wide = part.labels.view(len(part.labels), -1).double()
        return Split(part.inputs, ((wide - mean) / deviation).float().view(part.labels.shape))

    parts = (task.train, task.validation, task.test)
    train, validation, test = map(scaled, parts)
    found = replace(task, train=train, validation=validation, test=test)
    return found, mean.float(), deviation.float()
