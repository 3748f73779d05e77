"""A first recipe for a network, from its size and its task."""

from nas.data import Task
from nas.training.augmentation import AUGMENTATIONS
from nas.training.recipe import Recipe

_DEFAULT = Recipe()
SLOWEST, FASTEST = _DEFAULT.lr, 2e-2
"""The learning rates between which the rule was measured, or stays with the default."""
VARIED_PARAMETERS, VARIED_EPOCHS = 16_000, 40
"""From so many parameters and epochs on, a network overfits images that are not varied."""


def recipe_for(
    parameters: int, task: Task, *, epochs: int = _DEFAULT.epochs, finetune_epochs: int = 10
) -> Recipe:
    """A recipe to start from, for a network of so many parameters.

    - The peak learning rate falls with the fourth root of the size: 2e-2 at 3,000 parameters, where it
      gave 2.9 points over 5e-3, 1.5e-2 at 10,000 and 1e-2 at 50,000 on Fashion-MNIST. It stays
      between 2e-2 and the default, 5e-3, which is reached at 768,000. That of fine-tuning is in the
      default's proportion to it.
    - Augmentation is mild for images if the network has `VARIED_PARAMETERS` and `VARIED_EPOCHS` or
      more, and else off: it paid for files of 16 kB and many epochs, and cost 2.5 points for files
      of 1.3 kB and few.
    - Batches are the largest of 64, 32 and 16 samples with which an epoch has 50 steps, if there is
      one: with fewer steps there is little to schedule. This was not measured.

    `epochs` and `finetune_epochs` are those of the recipe. `python -m benchmarks.recipes` measures
    recipes for a network.

    Raises:
        ValueError: if there are no parameters, or a number of epochs is negative.
    """
    if parameters < 1:
        raise ValueError(f"a network must have 1 parameter or more, but got {parameters}")
    lr = min(max(FASTEST * (parameters / 3_000) ** -0.25, SLOWEST), FASTEST)
    images, samples = task.example.ndim == 4, len(task.train.labels)
    varied = images and parameters >= VARIED_PARAMETERS and epochs >= VARIED_EPOCHS
    return Recipe(
        epochs=epochs,
        finetune_epochs=finetune_epochs,
        batch_size=next((size for size in (64, 32) if samples >= 50 * size), 16),
        lr=lr,
        finetune_lr=lr * _DEFAULT.finetune_lr / _DEFAULT.lr,
        augmentation=AUGMENTATIONS["mild" if varied else "off"],
    )
