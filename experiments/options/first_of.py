"""Networks that an experiment names by a space."""

from dataclasses import dataclass

from torch import Tensor, nn

from nas.space import SearchSpace


@dataclass(frozen=True)
class FirstOf:
    """Builds the first network of a space, such as the only one of a space with one option each: a
    teacher whose widths stand in the header of its run.
    """

    space: SearchSpace

    def __call__(self, example: Tensor, classes: int) -> nn.Module:
        """The network, randomly initialized."""
        choices = self.space.choices
        first = choices.canonical((0,) * len(choices))
        return self.space.build(choices.decode(first), example, classes)
