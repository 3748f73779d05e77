"""Label smoothing: labels that leave some doubt."""

import torch
from torch import Tensor


def smoothed(labels: Tensor, classes: int, share: float) -> Tensor:
    """The shares of all classes, [N, classes], of labels [N] of which `share` is spread evenly over
    them (Szegedy et al., 2016); with a share of 0 the labels as they are.
    """
    if share == 0.0:
        return labels
    shares = torch.full((len(labels), classes), share / classes, device=labels.device)
    return shares.scatter_(1, labels[:, None], 1.0 - share + share / classes)
