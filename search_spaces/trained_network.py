"""The compression of one trained network as a search space."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.space import Choices, Design
from nas.tracing import independent_copy


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The ways to compress a trained network: each choice is for a compressor, at a module of the
    network.

    Every candidate begins as a copy of the network with its weights, so a recipe needs no epochs
    before compression. The size of the space is that of its choices.

    Args:
        model: the trained network, which is copied
        choices: their sites are names of modules of the network; `joint_choices` of
            `compressors.joint` proposes some for any network

    Raises:
        ValueError: if a site is not the name of a module.
    """

    model: nn.Module
    choices: Choices

    def __post_init__(self) -> None:
        # Always the same memory format, because results of other formats round differently.
        model = independent_copy(self.model).cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        object.__setattr__(self, "model", model.eval())
        known = [name for name, _ in model.named_modules(remove_duplicate=False)]
        if unknown := sorted({choice.site for choice in self.choices} - set(known)):
            raise ValueError(
                f"sites must name modules of the trained network, {[name for name in known if name]}, but got {unknown}"
            )

    @property
    def comes_trained(self) -> bool:
        """True: candidates are measured by the files that they give as they are."""
        return True

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:  # noqa: ARG002 - compressors read the design
        """A copy of the trained network, whatever the design.

        Raises:
            ValueError: if the network does not accept inputs like `example`, or does not give
                `classes` logits.
        """
        model = copy.deepcopy(self.model)
        try:
            with torch.no_grad():
                shape = tuple(model(example[:1].clone()).shape)
        except RuntimeError as error:
            raise ValueError(
                f"the trained network must accept inputs {tuple(example.shape[1:])}, but raises: {error}"
            ) from error
        if shape != (1, classes):
            raise ValueError(
                f"the trained network must give logits (1, {classes}) for one sample, but gives {shape}"
            )
        return model
