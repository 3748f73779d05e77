"""A search space with settings of the recipe among its choices."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from nas.space import Choice, Choices, Design, SearchSpace, TrainedSpace
from nas.training.recipe_choices import SITE


@dataclass(frozen=True)
class WithRecipe:
    """The choices of another space, and settings of the recipe by which each candidate is trained.

    >>> from search_spaces import Mlp
    >>> space = WithRecipe(Mlp(), {"lr": (5e-3, 1e-2, 2e-2), "augmentation": ("off", "mild")})
    >>> [choice.name for choice in space.choices][-2:]
    ['recipe.lr', 'recipe.augmentation']

    Other settings are those of the experiment's recipe. An experiment refuses settings that a recipe
    does not have, and options that they cannot take. A candidate is trained by its own recipe
    whenever it is: in the search, as a finalist, and by `nas export --retrain`.

    Args:
        space: builds the networks
        options: for each setting the values to choose from; see
            `nas.training.recipe_choices.SETTINGS`
    """

    space: SearchSpace
    options: Mapping[str, tuple[Hashable, ...]]

    @property
    def choices(self) -> Choices:
        """Those of the space, then one for each setting."""
        settings = (Choice(SITE, name, values) for name, values in self.options.items())
        given = self.space.choices
        return Choices([*given, *settings], given.constraints)

    @property
    def comes_trained(self) -> bool:
        """Whether the networks of the space come trained."""
        return isinstance(self.space, TrainedSpace) and self.space.comes_trained

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network that the space builds; it reads none of the settings."""
        return self.space.build(design, example, classes)
