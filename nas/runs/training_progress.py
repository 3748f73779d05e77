"""How far the trainings after a search are."""

from collections.abc import Callable
from dataclasses import dataclass

from nas.objective import Curve


@dataclass(frozen=True)
class TrainingProgress:
    """A training after the search: a phrase for `what` is trained, and how many of its planned
    `epochs` are done.
    """

    what: str
    done: int
    epochs: int


WatchTraining = Callable[[TrainingProgress], None]


def unwatched(progress: TrainingProgress) -> None:
    """Watches nothing."""


def watching(what: str, epochs: int, watch: WatchTraining) -> Callable[[Curve], bool]:
    """A `nas.training.fit.Stop` that stops nothing, and tells `watch` before each epoch."""

    def stop(reached: Curve) -> bool:
        watch(TrainingProgress(what, len(reached), epochs))
        return False

    return stop
