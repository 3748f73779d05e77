"""How a candidate is trained."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

_LATER: Mapping[str, float] = {"rate_penalty": 0.0}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a candidate is trained: for `epochs`, then, compressed, for `finetune_epochs`, with a
    one-cycle schedule for each phase.

    `lr` and `finetune_lr` are the peak learning rates of the phases. Batches have `batch_size`
    samples, or a few less, so that all are nearly of one size; `weight_decay` is that of AdamW. The
    loss of the first phase has `gain_penalty` times the L1 norm of the gains of batch
    normalization, that of the second `rate_penalty` times the mean bits that a quantized weight
    takes. With no epochs in either phase, a candidate is measured as built and compressed.

    Raises:
        ValueError: if a number of epochs is negative, the batch size is below 2, which batch
            normalization needs, a learning rate is not positive, or the weight decay or a penalty
            is negative.
    """

    epochs: int = 20
    finetune_epochs: int = 10
    batch_size: int = 64
    lr: float = 5e-3
    finetune_lr: float = 2e-3
    weight_decay: float = 1e-2
    gain_penalty: float = 0.0
    rate_penalty: float = 0.0

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
        for what, penalty in (("gains", self.gain_penalty), ("rate", self.rate_penalty)):
            if not 0.0 <= penalty < math.inf:
                raise ValueError(
                    f"the penalty on {what} must be finite and not negative, but got {penalty}"
                )

    def describe(self) -> dict[str, int | float]:
        """The fields as JSON. Those that runs of before do not have are left out where they change
        nothing, so that such runs are resumed.
        """
        fields: dict[str, int | float] = asdict(self)
        return {
            name: value for name, value in fields.items() if (name, value) not in _LATER.items()
        }

    def phases(self, epochs: float | None) -> tuple[int, int]:
        """The epochs of both phases if there are `epochs` in all, 0 or 1 or more, in the recipe's
        proportion; None: the recipe's own.

        Raises:
            ValueError: if `epochs` is below 1 and not 0, or the recipe has none.
        """
        if epochs is None:
            return self.epochs, self.finetune_epochs
        if epochs == 0:
            return 0, 0
        if epochs < 1:
            raise ValueError(f"a candidate must be trained for at least 1 epoch, but got {epochs}")
        if self.epochs + self.finetune_epochs == 0:
            raise ValueError(
                f"a recipe must have epochs to be trained for {epochs} of them, but has none"
            )
        before = round(epochs * self.epochs / (self.epochs + self.finetune_epochs))
        return before, round(epochs) - before
