"""Fine-tuning: pretrained layers are frozen while a new head is trained."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Freezing:
    """Freezes the parameters of each module whose option is True: no optimizer changes them. Running
    statistics of batch normalization go on following the data.

    In the `narrowing` of an experiment, `Freezing()` comes before the epochs that precede compression, which
    so train the others alone, such as a new head; `Freezing(frozen=False)`, before the others of its
    `compressors`, has all be trained in the epochs after it (the feature extraction and fine-tuning of
    Yosinski et al., 2014).

    Args:
        frozen: whether parameters are frozen, or trained again
        kind: the kind of choices that is applied
    """

    frozen: bool = True
    kind: str = "frozen"

    def apply(
        self,
        model: nn.Module,
        settings: Mapping[str, Hashable],
        example: Tensor,  # noqa: ARG002 - no statistics needed
    ) -> nn.Module:
        """The network itself, with parameters that are trained or not.

        Raises:
            ValueError: if an option is not True or False, a site is not a module, or nothing would
                be left to train.
        """
        modules = dict(model.named_modules(remove_duplicate=False))
        for site, option in settings.items():
            if not isinstance(option, bool):
                raise ValueError(
                    f"whether a module is frozen must be True or False, but got {option!r} at {site!r}"
                )
            if site not in modules:
                raise ValueError(
                    f"what is frozen must be a module of the network, one of {[*modules]}, but got {site!r}"
                )
            if option:
                modules[site].requires_grad_(not self.frozen)
        if not any(weights.requires_grad for weights in model.parameters()):
            raise ValueError(
                f"a network must have parameters that are not frozen, but all are, by {[*settings]}"
            )
        return model
