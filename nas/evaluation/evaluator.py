"""From a genotype to measured facts: build, cost, fit, compress, fit, lower, pack, measure."""

import inspect
import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from nas.compress import Compressor, compress
from nas.data import Task
from nas.evaluation.coded_size import Parts, SizePrediction, compare
from nas.evaluation.counting import SizeRule, count, count_packed, count_predicted, size_rule
from nas.evaluation.matching import compress_and_match
from nas.evaluation.measuring import TrainedCandidate, measure
from nas.evaluation.repair import REPAIR_EPOCHS, REPAIR_LR, REPAIRABLE, file_of, repair
from nas.file_length import FileLength
from nas.lowering import lower_all_channels
from nas.measure import Device, MeasuringDevice
from nas.objective import Budget, Curve, Epoch, Evaluation, Status
from nas.program import Program
from nas.seeds import candidate_seed, seeded
from nas.space import Design, Genotype, SearchSpace
from nas.strategy import Facts, Proposal
from nas.training.fit import Loss, Stop, fit, never
from nas.training.rate import with_rate_penalty
from nas.training.recipe import Recipe
from nas.training.recipe_choices import chosen_recipe
from nas.training.slimming import with_gain_penalty

CALIBRATION_SAMPLES = 256
UNLEARNT = SizePrediction()

Fit = Callable[..., tuple[Epoch, ...]]


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Evaluates candidates of one space on one task; results depend only on the seed and the
    candidate.

    `space` builds networks, `narrowing` is applied to them, and `compressors` between the two
    phases of training, each in its order. Networks are trained with `loss` on the training split of
    `task`, as `recipe` says, with the settings that their designs choose at the site "recipe", and
    scored on its validation split. A candidate whose costs exceed `budget` is not trained: `SizeRule`
    says what its `size_bytes` is then, and one that is predicted may exceed its limit by the error.
    A file that is too long once it is trained is repaired, a predicted one if it has at most
    `REPAIRABLE` times the limit. `device` gives the latency (None: latency is not measured). `seed` is
    the seed of the run, from which that of each candidate is derived.
    """

    space: SearchSpace
    compressors: Sequence[Compressor]
    task: Task
    recipe: Recipe
    budget: Budget
    device: Device | None
    loss: Loss
    seed: int
    narrowing: Sequence[Compressor] = ()

    def __call__(
        self,
        id: int,
        proposal: Proposal,
        stop: Stop = never,
        prediction: SizePrediction = UNLEARNT,
    ) -> tuple[Evaluation, TrainedCandidate | None]:
        """The evaluation, and the trained candidate if its status is OK.

        `stop` sees the epochs before and after compression as one curve. `prediction` predicts
        `size_bytes`, where `SizeRule` says so. A network that comes trained can be proposed for 0
        epochs: its channels are matched with those in floats. An exception that a candidate raises
        makes it FAILED with that reason, so that one bad candidate cannot end a search.
        """
        start = time.perf_counter()
        genotype = self.space.choices.canonical(proposal.genotype)
        design = self.space.choices.decode(genotype)
        metrics: Mapping[str, float] = {}
        history: tuple[Epoch, ...] = ()
        trained, status, reason = None, Status.OK, ""
        length: FileLength | None = None
        try:
            with seeded(candidate_seed(self.seed, genotype)):
                images = self._calibration if self._known else self.task.example
                make = compress_and_match if proposal.epochs == 0 else compress
                built, compressed = self._build(design, images, make)
                metrics, parts = self._count(compressed, self.device, prediction)
                if reason := self._refusal(metrics, prediction):
                    status = Status.OVER_BUDGET
                else:
                    before, after = self.recipe.phases(proposal.epochs)
                    planned = before + after
                    if proposal.epochs == 0 and not self._known:
                        raise ValueError(
                            "a candidate must be trained for at least 1 epoch, but got 0"
                        )
                    if self._known and before == 0:
                        model = compressed
                        recipe = chosen_recipe(self.recipe, design)
                        fit_by_recipe = self._fitting(genotype, recipe)
                        history = self._finetune(fit_by_recipe, recipe, model, after, stop)
                    else:
                        model, history = self.train(built, design, genotype, proposal.epochs, stop)
                    if self._predicts and len(history) == planned:
                        packed = file_of(model, self._calibration)
                        length = compare(metrics["size_bytes"], parts, packed)
                    if self._may_be_repaired(length) and len(history) == planned:
                        model, design, more = self._repaired(model, design, genotype, after)
                        history += more
                    if len(history) < planned:
                        status = Status.STOPPED
                        reason = f"given up after {len(history)} of {planned} epochs"
                    else:
                        trained, measured = self.measure(model, metrics)
                        if over := self.budget.broken(measured):
                            # Only a file can be longer than it was counted.
                            trained, status, reason = (
                                None,
                                Status.OVER_BUDGET,
                                f"{over} when trained",
                            )
                            measured = {name: measured[name] for name in metrics}
                        metrics = measured
        except Exception as error:
            trained, status, reason = None, Status.FAILED, _reason(error)
        evaluation = Evaluation(
            id=id,
            genotype=genotype,
            design=design,
            status=status,
            reason=reason,
            metrics=metrics,
            seconds=time.perf_counter() - start,
            epochs=proposal.epochs,
            history=history,
            file_length=length,
        )
        return evaluation, trained

    @property
    def _rule(self) -> SizeRule:
        return size_rule(self.space, self.recipe, self.narrowing, self.budget)

    @property
    def _known(self) -> bool:
        return self._rule is SizeRule.PACKED

    @property
    def _predicts(self) -> bool:
        return self._rule is SizeRule.PREDICTED

    @property
    def _longest(self) -> float:
        return self.budget.limits.get("size_bytes", math.inf)

    def _refusal(self, metrics: Mapping[str, float], prediction: SizePrediction) -> str:
        """Why a candidate of these costs is not trained; empty if it is."""
        if self._predicts:
            return prediction.broken(self.budget, metrics)
        return self.budget.broken(metrics)

    def _may_be_repaired(self, length: FileLength | None) -> bool:
        return self._known if length is None else length.found <= REPAIRABLE * self._longest

    def _build(
        self, design: Design, calibration: Tensor, make: Callable[..., nn.Module] = compress
    ) -> tuple[nn.Module, nn.Module]:
        """The network as it is built and narrowed, and as `make` compresses it."""
        built = self.space.build(design, self.task.example, self.task.classes)
        narrow = compress(built, design, self.narrowing, calibration) if self.narrowing else built
        return narrow, make(narrow, design, self.compressors, calibration)

    def _count(
        self, compressed: nn.Module, device: Device | None, prediction: SizePrediction
    ) -> tuple[dict[str, float], Parts]:
        if self._predicts:
            return count_predicted(compressed, self.task, device, prediction)
        return (count_packed if self._known else count)(compressed, self.task, device), {}

    def train(
        self,
        model: nn.Module,
        design: Design,
        genotype: Genotype,
        epochs: float | None,
        stop: Stop = never,
    ) -> tuple[nn.Module, tuple[Epoch, ...]]:
        """Fits the network, compresses it and fits it again, until `stop` gives it up.

        The samples are shuffled by a generator of the candidate's own seed.
        """
        recipe = chosen_recipe(self.recipe, design)
        before, after = recipe.phases(epochs)
        fit_by_recipe = self._fitting(genotype, recipe)
        penalized = with_gain_penalty(self.loss, model, recipe.gain_penalty)
        history = fit_by_recipe(model, epochs=before, lr=recipe.lr, loss=penalized, stop=stop)
        if len(history) < before:
            return model, history

        def stop_finetuning(finetuned: Curve) -> bool:
            return stop((*history, *finetuned))

        if before == 0 and recipe.epochs > 0:
            # So few epochs that all are quantized: they train from scratch, not on.
            recipe = replace(recipe, finetune_lr=recipe.lr)
        model = compress(model, design, self.compressors, self._calibration)
        return model, history + self._finetune(fit_by_recipe, recipe, model, after, stop_finetuning)

    def _finetune(
        self, fit_by_recipe: Fit, recipe: Recipe, model: nn.Module, epochs: int, stop: Stop
    ) -> tuple[Epoch, ...]:
        """Fits a compressed network in place."""
        rated = with_rate_penalty(self.loss, model, recipe.rate_penalty)
        return fit_by_recipe(model, epochs=epochs, lr=recipe.finetune_lr, loss=rated, stop=stop)

    def _repaired(
        self, model: nn.Module, design: Design, genotype: Genotype, epochs: int
    ) -> tuple[nn.Module, Design, tuple[Epoch, ...]]:
        """The network with fewer bits if its file became too long in `epochs` of fine-tuning."""
        recipe = chosen_recipe(self.recipe, design)
        fit_by_recipe, lr = self._fitting(genotype, recipe), REPAIR_LR * recipe.finetune_lr

        def recover(short: nn.Module) -> tuple[Epoch, ...]:
            fewer = min(epochs, REPAIR_EPOCHS)
            return fit_by_recipe(short, epochs=fewer, lr=lr, loss=self.loss)

        return repair(
            model,
            design,
            self.space.choices,
            self.compressors,
            self._calibration,
            self._longest,
            recover,
        )

    def _fitting(self, genotype: Genotype, recipe: Recipe) -> Fit:
        """`fit` by a recipe, with samples shuffled by the candidate's own seed."""
        shuffle = torch.Generator().manual_seed(candidate_seed(self.seed, genotype))
        return partial(fit, task=self.task, recipe=recipe, generator=shuffle)

    def measure(
        self, model: nn.Module, counted: Mapping[str, float]
    ) -> tuple[TrainedCandidate, dict[str, float]]:
        """The packed file of a trained network, and its metrics; see `nas.evaluation.measuring`."""
        return measure(model, counted, self.task.validation, self._calibration)

    @property
    def _calibration(self) -> Tensor:
        return self.task.train.inputs[:CALIBRATION_SAMPLES]

    def facts(self, genotype: Genotype, prediction: SizePrediction = UNLEARNT) -> Facts:
        """The costs of a candidate before training; the excess is that of a predicted size as it is.

        The latency is left out if the device measures it: facts must be the same each time.
        """
        device = None if isinstance(self.device, MeasuringDevice) else self.device
        design = self.space.choices.decode(genotype)
        try:
            with seeded(candidate_seed(self.seed, genotype)):
                # One sample, because calibrating on all takes longer than all else, and changes no
                # more than some bytes of scales and biases.
                _, compressed = self._build(design, self.task.example)
                counted, _ = self._count(compressed, device, prediction)
        except Exception:  # if the candidate is proposed, its evaluation gives the reason
            return Facts({}, math.inf)
        limits = {name: most for name, most in self.budget.limits.items() if name in counted}
        return Facts(counted, Budget(limits).excess(counted))

    def compressed(self, genotype: Genotype, design: Design) -> nn.Module:
        """The network of a candidate, compressed to `design` and not trained since.

        Raises:
            Exception: what building or compressing it raises.
        """
        with seeded(candidate_seed(self.seed, genotype)):
            return self._build(design, self.task.example)[1]

    def program(self, genotype: Genotype) -> Program:
        """The integer program of an untrained candidate.

        Raises:
            Exception: what building, compressing or lowering it raises.
        """
        design = self.space.choices.decode(genotype)
        return lower_all_channels(self.compressed(genotype, design), self.task.example)


def _reason(error: Exception) -> str:
    """The type and text of an error, and where it was raised: in the code that read a design, if a
    reader of the design raised it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = next(frame for frame in reversed(frames) if frame.filename != inspect.getfile(Design))
    return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
