"""A network that is trained already, and how it may be compressed."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.space import Choices, Design


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """How a trained network is compressed: each choice is of the kind of a compressor, at the name
    of one of its modules.

    Every candidate begins with a copy of the network, weights and all, so that a recipe needs no
    epochs before compression. What happens to the given network later changes nothing here.

    Raises:
        ValueError: if a site names no module of the network.
    """

    model: nn.Module
    choices: Choices

    def __post_init__(self) -> None:
        # One layout of memory wherever it comes from: another one rounds otherwise.
        model = copy.deepcopy(self.model).cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        object.__setattr__(self, "model", model.eval())
        known = [name for name, _ in model.named_modules(remove_duplicate=False)]
        if unknown := sorted({choice.site for choice in self.choices} - set(known)):
            raise ValueError(
                f"sites must name modules of the trained network, {[name for name in known if name]}, but got {unknown}"
            )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:  # noqa: ARG002 - compressors read the design
        """A copy of the trained network, the same for every design.

        Raises:
            ValueError: if the network does not take inputs like `example`, or gives other than
                `classes` logits.
        """
        model = copy.deepcopy(self.model)
        try:
            with torch.no_grad():
                shape = tuple(model(example[:1]).shape)
        except RuntimeError as error:
            raise ValueError(
                f"the trained network must take inputs {tuple(example.shape[1:])}, but says: {error}"
            ) from error
        if shape != (1, classes):
            raise ValueError(
                f"the trained network must give logits (1, {classes}) for one sample, but gives {shape}"
            )
        return model
