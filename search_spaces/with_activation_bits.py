"""A search space with bits of activations among its choices."""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from nas.space import Choices, Design, SearchSpace, TrainedSpace

BITS, KIND = "bits", "activation_bits"


@dataclass(frozen=True)
class WithActivationBits:
    """The choices of another space, and at each site with a bit-width of weights also the bits of
    what its layers give, for `ActivationBits` of `compressors` to apply.

    The last of these sites has none: the logits keep the bits of the quantization, as the input
    does. Where results are summed, the most bits of any summand decide, so that some designs are
    the same network; `joint_choices` offers one choice for them all.

    >>> from search_spaces import Mlp
    >>> space = WithActivationBits(Mlp(), (8, 4))
    >>> [choice.name for choice in space.choices if choice.kind == "activation_bits"]
    ['hidden0.activation_bits', 'hidden1.activation_bits', 'hidden2.activation_bits']

    Args:
        space: builds the networks
        bits: the bits to choose from, 2 to 8

    Raises:
        ValueError: if no bits are given, or some are not in 2 … 8.
    """

    space: SearchSpace
    bits: tuple[int, ...] = (8, 4)

    def __post_init__(self) -> None:
        if not self.bits or not set(self.bits) <= set(range(2, 9)):
            raise ValueError(f"bits must be one or more of 2 … 8, but got {self.bits}")

    @property
    def choices(self) -> Choices:
        """Those of the space, then those of bits of activations."""
        given = self.space.choices
        weights = [choice for choice in given if choice.kind == BITS][:-1]
        activations = (replace(each, kind=KIND, options=self.bits) for each in weights)
        return Choices([*given, *activations], given.constraints)

    @property
    def comes_trained(self) -> bool:
        """Whether the networks of the space come trained."""
        return isinstance(self.space, TrainedSpace) and self.space.comes_trained

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network that the space builds; it reads no bits."""
        return self.space.build(design, example, classes)
