"""Samples drawn from a split by class, because rows of data are often sorted."""

import numpy as np
import torch
from torch import Tensor

from nas.data.task import Split


def stratified(split: Split, count: int | None, rng: np.random.Generator) -> Split:
    """`count` samples of a split, drawn by class, or all as they are if it has no more (None: all).

    Each class has the share that it has in the split, but for a sample or two, and at least one
    sample if there are as many as classes.
    """
    if count is None or count >= len(split.labels):
        return split
    drawn = stratified_order(split.labels, rng)[:count]
    return Split(split.inputs[drawn], split.labels[drawn])


def stratified_order(labels: Tensor, rng: np.random.Generator) -> Tensor:
    """The positions of samples with these labels, [N], in a random order in which classes come in
    turn: the first few, however many, are drawn by class. Samples with targets, floats [N] or [N, K],
    are just shuffled.
    """
    if labels.is_floating_point():
        return torch.from_numpy(rng.permutation(len(labels)))
    classes, shuffled = labels.numpy(), rng.permutation(len(labels))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    _, start, size = np.unique(classes[by_class], return_index=True, return_counts=True)
    rank = np.arange(len(classes)) - np.repeat(start, size)
    # Where a sample stands among those of its class, from 0 to 1; the first of each come first.
    place = np.where(rank == 0, 0.0, (rank + 0.5) / np.repeat(size, size))
    return torch.from_numpy(by_class[np.lexsort((rng.random(len(classes)), place))])
