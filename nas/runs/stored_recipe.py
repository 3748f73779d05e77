"""The recipe of trainings after a search, stored beside them: the header of a run has that of the search."""

import json
from pathlib import Path

from nas import durable
from nas.training.recipe import Recipe

_FILE = "recipe.json"


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Writes the recipe by which what is in `folder` is trained."""
    durable.write(folder / _FILE, json.dumps(recipe.describe(), indent=2).encode())


def is_recipe_of(folder: Path, recipe: Recipe) -> bool:
    """Whether what is in `folder` was trained by `recipe`; before recipes were stored there, it was
    trained by that of its run.
    """
    try:
        stored = json.loads((folder / _FILE).read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:  # damaged, and so unknown
        return False
    return bool(stored == json.loads(json.dumps(recipe.describe())))
