"""Settings of the recipe as choices of a search."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace

from nas.space import Choice
from nas.training.augmentation import AUGMENTATIONS
from nas.training.recipe import Recipe

SITE = "recipe"
"""The site of these choices: `Choice(SITE, "lr", (5e-3, 2e-2))` is "recipe.lr" in a design."""

SETTINGS = (
    "batch_size",
    "lr",
    "finetune_lr",
    "weight_decay",
    "gain_penalty",
    "rate_penalty",
    "label_smoothing",
    "ema",
    "augmentation",
    "optimizer",
    "momentum",
    "schedule",
    "warm_up",
    "focal",
    "class_weights",
    "alpha",
    "temperature",
    "regression_loss",
    "finetune_share",
)
"""The settings that can be chosen; how many epochs there are is a fidelity, which belongs to the
strategy. Augmentations go by their names in `AUGMENTATIONS`; `finetune_share`, 0 to 1, is the share of
all epochs that comes after compression.
"""
_TEXTS = ("optimizer", "schedule", "regression_loss")
_FLAGS = ("class_weights",)
_WHOLE = ("batch_size",)


def chosen_recipe(recipe: Recipe, design: Mapping[str, Hashable]) -> Recipe:
    """The recipe with the settings that a design chooses at the site "recipe".

    Raises:
        ValueError: if there is no such setting, or it cannot have the chosen value.
    """
    parts = [(*name.rpartition(".")[::2], option) for name, option in design.items()]
    chosen = {kind: _setting(kind, option) for site, kind, option in parts if site == SITE}
    share = chosen.pop("finetune_share", None)
    if isinstance(share, (int, float)):
        if not 0 <= share <= 1:
            raise ValueError(
                f"options of 'recipe.finetune_share' must be in 0 … 1, but got {share}"
            )
        total = recipe.epochs + recipe.finetune_epochs
        after = round(share * total)
        chosen |= {"epochs": total - after, "finetune_epochs": after}
    return replace(recipe, **chosen)  # type: ignore[arg-type]


def alternatives(recipe: Recipe, choices: Iterable[Choice]) -> Iterator[Recipe]:
    """The recipe as it is, and with each option of each choice at the site "recipe".

    Raises:
        ValueError: as `chosen_recipe` does.
    """
    yield recipe
    for choice in choices:
        if choice.site == SITE:
            for option in choice.options:
                yield chosen_recipe(recipe, {choice.name: option})


def _setting(name: str, option: Hashable) -> object:
    if name not in SETTINGS:
        raise ValueError(f"a choice at site {SITE!r} must be one of {SETTINGS}, but got {name!r}")
    if name == "augmentation":
        if not isinstance(option, str) or option not in AUGMENTATIONS:
            raise ValueError(
                f"an option of 'recipe.augmentation' must be one of {(*AUGMENTATIONS,)}, but got {option!r}"
            )
        return AUGMENTATIONS[option]
    kind, fits = "numbers", isinstance(option, (int, float)) and not isinstance(option, bool)
    if name in _WHOLE:
        kind, fits = "whole numbers", isinstance(option, int) and not isinstance(option, bool)
    elif name in _TEXTS:
        kind, fits = "names", isinstance(option, str)
    elif name in _FLAGS:
        kind, fits = "True or False", isinstance(option, bool)
    if not fits:
        raise ValueError(f"options of '{SITE}.{name}' must be {kind}, but got {option!r}")
    return option
