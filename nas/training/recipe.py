"""How a candidate is trained."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a candidate is trained: `epochs`, then compression, then `finetune_epochs`, each with its
    own annealed schedule.

    Before compression the loss has `gain_penalty` times the L1 norm of the gains of batch
    normalization.

    With no epochs at all a candidate is measured as it is built and compressed.

    Raises:
        ValueError: if a number of epochs is negative, a batch is of less than 2 samples, which
            batch normalization needs, a learning rate is not positive, or the weight decay or the
            penalty is negative.
    """

    epochs: int = 20
    finetune_epochs: int = 10
    batch_size: int = 64
    lr: float = 5e-3
    finetune_lr: float = 2e-3
    weight_decay: float = 1e-2
    gain_penalty: float = 0.0

    def __post_init__(self) -> None:
        if min(self.epochs, self.finetune_epochs) < 0:
            raise ValueError(
                f"a recipe must have epochs that are not negative, but got {self.epochs} and {self.finetune_epochs}"
            )
        if self.batch_size < 2 or not (
            self.lr > 0 and self.finetune_lr > 0 and self.weight_decay >= 0
        ):
            raise ValueError(
                f"batch size must be 2 or more, learning rates positive and weight decay not negative, but got {self}"
            )

        if not 0.0 <= self.gain_penalty < math.inf:
            raise ValueError(
                f"the penalty on gains must be finite and not negative, but got {self.gain_penalty}"
            )

    def phases(self, epochs: float | None) -> tuple[int, int]:
        """Epochs before and after compression when `epochs` are wanted in all (None: the recipe's
        own).
        """
        if epochs is None:
            return self.epochs, self.finetune_epochs
        if epochs < 1:
            raise ValueError(f"a candidate must be trained for at least 1 epoch, but got {epochs}")
        if self.epochs + self.finetune_epochs == 0:
            raise ValueError(f"a recipe without epochs cannot be trained for {epochs} of them")
        before = round(epochs * self.epochs / (self.epochs + self.finetune_epochs))
        return before, round(epochs) - before
