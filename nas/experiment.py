"""An experiment: all that a search needs to know."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import FunctionType
from typing import Any

from torch import nn

from nas.compress import Compressor
from nas.data import Task, stratified
from nas.evaluation.counting import SizeRule, size_rule
from nas.evaluation.evaluator import CALIBRATION_SAMPLES, Evaluator
from nas.measure import COSTS, Device, InstructionTable, LatencyTable
from nas.objective import Objective
from nas.preprocessing import Preprocessing
from nas.program.rounding import Rounding, check_rounding
from nas.quality import KINDS, QUALITIES
from nas.seeds import generator
from nas.space import LATER, Choices, SearchSpace, TrainedSpace
from nas.strategy import StrategyFactory
from nas.training.accelerator import ACCELERATORS, Accelerator
from nas.training.checkpoint import digest
from nas.training.distil import Teacher
from nas.training.fit import Loss
from nas.training.losses import check_loss, check_teaching
from nas.training.recipe import Recipe
from nas.training.recipe_choices import alternatives
from nas.training.shared_weights import SharedWeights
from nas.training.stopping import StoppingRule
from nas.training.supernet import Supernet


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What to search for, where, how and on which data. Equal experiments give equal results.

    What is searched: `space` builds networks, `compressors` are applied to them, in this order, and
    `task` is the data set. How a candidate is evaluated: it is trained by `recipe`, whose first
    phase comes before `compressors` and after those of `narrowing`, with soft labels of `teacher`
    (None: labels only), until `stop` gives it up (None: never); `device` gives its latency (None:
    latency is not measured), and `rounding` says how the runtime rounds that accuracies are those of:
    "single" as LiteRT and ONNX Runtime do, "double" as TensorFlow Lite Micro and CMSIS-NN. Candidates and
    teacher are trained on the `accelerator`: "cpu", or a GPU, "cuda" or "mps", where they become others,
    as it sums in another order. With `packs_preprocessing` files have the preprocessing of the task, whose
    bytes count as theirs. Settings of the recipe may be choices of the space
    (`search_spaces.WithRecipe`). Candidates of the search start from the weights of `supernet` (None:
    from nothing). How the search goes: `strategy` makes the strategy from the choices and a generator,
    `objective` judges candidates, and `trials` is how many are trained. `seed` is the seed of everything
    random.

    `window` is how many proposals are outstanding at a time, and so how many workers have something to
    do: candidate i is proposed, and its training compared by `stop`, knowing candidates 0 to
    i - `window`. Results depend on it, but not on workers, and a run keeps its own. `patience` ends a search
    after that many proposals in a row that trained nothing new.

    What comes after the search: the best `retrain` candidates are trained again, with another seed, by
    `final_recipe` (None: by `recipe`), because what suits many epochs may not suit few.
    With `final_epochs` they are for so many epochs in all, in the recipe's proportion (None: the
    recipe's own), and the best of them, or with `retrain` 0 the best of the search, is then trained
    for as many on training and validation samples together: the final network. A search with
    `samples` trains on so many training samples, drawn by class; what comes after it has all of them,
    and starts from nothing.

    Raises:
        ValueError: if `trials`, `window`, `patience`, `final_epochs` or `samples` is below 1, the seed or
            `retrain` below 0, there is no such rounding or accelerator, there are `final_epochs` but none
            of the recipe, the objective names a metric that is not measured, or one of quality that does not
            go with the kind of the task, the space chooses settings that a recipe does not have, there is
            a supernet of networks that come trained, or for a task that is no classification, files are to
            have preprocessing but the task has none, or the task or the teacher does not go with an augmentation or a loss.
    """

    space: SearchSpace
    compressors: tuple[Compressor, ...]
    task: Task
    recipe: Recipe
    objective: Objective
    strategy: StrategyFactory
    trials: int
    seed: int
    teacher: Teacher | None = None
    device: Device | None = None
    window: int = 4
    patience: int = 1000
    stop: StoppingRule | None = None
    retrain: int = 0
    final_epochs: int | None = None
    final_recipe: Recipe | None = None
    samples: int | None = None
    narrowing: tuple[Compressor, ...] = ()
    rounding: Rounding = "single"
    accelerator: Accelerator = "cpu"
    supernet: Supernet | None = None
    packs_preprocessing: bool = False

    def __post_init__(self) -> None:
        if self.accelerator not in ACCELERATORS:
            raise ValueError(
                f"an accelerator must be one of {[*ACCELERATORS]}, but got {self.accelerator!r}"
            )
        for name in ("trials", "window", "patience", "final_epochs", "samples"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ValueError(f"{name} must be at least 1, but got {number}")
        for name in ("seed", "retrain"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, but got {getattr(self, name)}")
        check_rounding(self.rounding)
        self._check_preprocessing()
        last = self.after_search.recipe
        last.phases(self.final_epochs)  # refuses final epochs of a recipe without epochs
        measured = tuple(name for name in COSTS if self.device is not None or name != "latency_ms")
        qualities = KINDS[self.task.kind].qualities
        gains = tuple(name for name in qualities if QUALITIES[name].largest)
        errors = tuple(name for name in qualities if name not in gains)
        soft_target = self.objective.soft_target
        for verb, names, known in (
            ("maximize", self.objective.maximize, gains),
            ("minimize", self.objective.minimize, (*errors, *measured)),
            ("limit", tuple(self.objective.budget.limits), measured),
            ("aim at a cost of", () if soft_target is None else (soft_target.cost,), measured),
        ):
            if unknown := [name for name in names if name not in known]:
                hint = "; latency_ms needs a device" if "latency_ms" in unknown else ""
                of = "" if self.task.kind == "classification" else f" of a {self.task.kind}"
                raise ValueError(f"an objective{of} can {verb} {known}, but got {unknown}{hint}")
        self._check_start()
        choices = self.space.choices
        for recipe in (*alternatives(self.recipe, choices), *alternatives(last, choices)):
            recipe.augmentation.check(self.task.example.shape)
            check_loss(recipe, self.task.kind)
            check_teaching(recipe, taught=self.teacher is not None)
            if self.teacher is not None and self.teacher.hints and not recipe.augmentation.is_off:
                raise ValueError(
                    f"a teacher must have no hints where images are augmented, but got {self.teacher.hints}"
                )

    def _check_start(self) -> None:
        comes_trained = isinstance(self.space, TrainedSpace) and self.space.comes_trained
        if self.supernet is not None and comes_trained:
            raise ValueError(
                f"networks that come trained start from their own weights, without a supernet, but got {self.supernet}"
            )
        if self.supernet is not None and self.task.kind != "classification":
            raise ValueError(
                f"a supernet must be of a classification, whose networks teach each other, but got a {self.task.kind}"
            )

    def _check_preprocessing(self) -> None:
        if self.packs_preprocessing and self.task.preprocessing is None:
            raise ValueError(
                f"the task {self.task.name!r} must have preprocessing for files to have it, but has none"
            )

    @property
    def after_search(self) -> "Experiment":
        """The experiment that trains candidates as they are trained after the search."""
        if self.final_recipe is None:
            return self
        return replace(self, recipe=self.final_recipe, final_recipe=None)

    @property
    def quality(self) -> str:
        """The metric of quality by which candidates are compared, and the best is tested."""
        return self.objective.quality(self.task.kind)

    @cached_property
    def search_task(self) -> Task:
        """The task with the training samples of the search."""
        rng = generator(self.seed, "samples")
        return replace(self.task, train=stratified(self.task.train, self.samples, rng))

    def evaluator(
        self, loss: Loss, task: Task | None = None, shared: SharedWeights | None = None
    ) -> Evaluator:
        """The evaluator of this experiment's candidates, which are trained with `loss` on `task`
        (None: that of the search) from `shared` weights (None: from nothing).
        """
        return Evaluator(
            space=self.space,
            compressors=self.compressors,
            task=task or self.search_task,
            recipe=self.recipe,
            budget=self.objective.budget,
            device=self.device,
            loss=loss,
            seed=self.seed,
            narrowing=self.narrowing,
            rounding=self.rounding,
            accelerator=self.accelerator,
            shared=shared,
            named=(*self.objective.maximize, *self.objective.minimize),
            preprocessing=self._packed_preprocessing,
        )

    @property
    def _packed_preprocessing(self) -> Preprocessing | None:
        return self.task.preprocessing if self.packs_preprocessing else None

    def describe(self) -> dict[str, Any]:
        """The header of a run, as JSON: all that determines its results. `trials` and `patience`
        are left out, because they only end a search, and what comes after it.
        """
        rule = size_rule(self.space, self.recipe, self.narrowing, self.objective.budget)
        narrowing = [_describe(compressor) for compressor in self.narrowing]
        few = self.search_task.train
        packed = self._packed_preprocessing
        # Runs took the first samples at first, and where there are no others still do.
        drawn = few is not self.task.train or len(few.labels) > CALIBRATION_SAMPLES
        return {
            # Runs had budgets of uncoded bytes at first.
            **({} if rule is SizeRule.BOUND else {"size_bytes": rule.value}),
            "space": {**_describe(self.space), "choices": self.space.choices.digest},
            **({"narrowing": narrowing} if narrowing else {}),
            "compressors": [_describe(compressor) for compressor in self.compressors],
            "task": {
                "name": self.task.name,
                "digest": self.task.digest,
                **({} if self.task.kind == "classification" else {"kind": self.task.kind}),
            },
            **({} if self.samples is None else {"samples": self.samples}),
            **({"samples_drawn": "by class"} if drawn else {}),
            "recipe": self.recipe.describe(),
            **({} if self.accelerator == "cpu" else {"accelerator": self.accelerator}),
            "objective": self.objective.to_json(),
            "strategy": _describe(self.strategy),
            "teacher": _describe(self.teacher),
            **({} if self.supernet is None else {"supernet": _describe(self.supernet)}),
            "device": _describe(self.device),
            **({} if self.rounding == "single" else {"rounding": self.rounding}),
            **({} if packed is None else {"preprocessing": packed.to_json()}),
            "seed": self.seed,
            "window": self.window,
            "stop": _describe(self.stop),
        }


def _describe(part: Any) -> Any:
    """A part of an experiment as JSON, without anything that differs between processes.

    Large parts are digests of their content. Functions and classes are their names, partials their
    function and keyword arguments. Any other object is its class name and public attributes, without
    fields that are `LATER` ones and have their default.
    """
    if part is None or isinstance(part, (str, int, float, bool)):
        return part
    if isinstance(part, (Choices, InstructionTable, LatencyTable)):
        return part.digest
    if isinstance(part, nn.Module):
        return digest(part, repr(part))
    if isinstance(part, Path):  # the content of a file, because it may be moved
        return hashlib.sha256(part.read_bytes()).hexdigest()[:16]
    if isinstance(part, (list, tuple)):
        return [_describe(item) for item in part]
    if isinstance(part, Mapping):
        return {str(name): _describe(value) for name, value in part.items()}
    if isinstance(part, partial):
        return {"name": _describe(part.func), **_describe(part.keywords)}
    if isinstance(part, (type, FunctionType)):
        return part.__qualname__
    later = (
        {each.name: each.default for each in fields(part) if LATER.items() <= each.metadata.items()}
        if is_dataclass(part)
        else {}
    )
    public = {
        name: value
        for name, value in getattr(part, "__dict__", {}).items()
        if not name.startswith("_") and not (name in later and value == later[name])
    }
    return {"name": type(part).__qualname__, **_describe(public)}
