"""Early stopping: a training ends when its validation score no longer rises."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nas.objective import Curve


class EarlyStopping:
    """Ends a training of `model` after `patience` validations in a row without a better score than the
    best so far, whose weights it keeps (Prechelt, 1998); with a patience of 0 it does nothing.
    """

    def __init__(self, model: nn.Module, patience: int) -> None:
        self._model, self._patience = model, patience
        self._best, self._kept = -1.0, dict[str, Tensor]()
        self._waited = 0

    def see(self, score: float) -> None:
        """Takes notice of the score of the network as it is."""
        if not self._patience:
            return
        self._waited += 1
        if score > self._best:
            self._best, self._waited = score, 0
            self._kept = {name: each.clone() for name, each in self._model.state_dict().items()}

    @property
    def is_over(self) -> bool:
        """Whether training ends."""
        return 0 < self._patience <= self._waited

    def finish(self, after_step: Callable[[float], None]) -> None:
        """Puts the weights of the best score into the network, if they are others, and calls
        `after_step` with 1, because a mask may not have been at its end.
        """
        if not self._waited:
            return
        with torch.no_grad():
            for name, live in self._model.state_dict().items():
                live.copy_(self._kept[name])
        after_step(1.0)


class GivingUp:
    """A `Stop` that tells afterwards whether it ended a training, which can also end by itself."""

    def __init__(self, stop: Callable[[Curve], bool]) -> None:
        self._stop, self.gave_up = stop, False

    def __call__(self, reached: Curve) -> bool:
        """Whether training ends."""
        self.gave_up = self._stop(reached)
        return self.gave_up
