"""From a genotype to measured facts: build, cost, fit, compress, fit, lower, pack, measure."""

import inspect
import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from nas.compress import Compressor, compress
from nas.data import Task
from nas.data.stratified import stratified_order
from nas.error_text import described, traced
from nas.evaluation.candidate_training import CandidateTraining
from nas.evaluation.coded_size import REST, Parts, SizePrediction, compare
from nas.evaluation.counting import SizeRule, count, count_packed, count_predicted, size_rule
from nas.evaluation.matching import compress_and_match
from nas.evaluation.measuring import TrainedCandidate, measure
from nas.evaluation.repair import REPAIRABLE, file_of
from nas.file_length import FileLength
from nas.lowering import lower_all_channels
from nas.measure import Device, MeasuringDevice
from nas.objective import Budget, Epoch, Evaluation, Status
from nas.packed import with_preprocessing
from nas.packed.preprocessing import written_preprocessing
from nas.preprocessing import Preprocessing
from nas.program import Program
from nas.program.rounding import Rounding
from nas.seeds import candidate_seed, generator, seeded
from nas.space import Design, Genotype, SearchSpace
from nas.strategy import Facts, Proposal
from nas.training.accelerator import Accelerator
from nas.training.early_stopping import GivingUp
from nas.training.fit import Loss, Stop, never
from nas.training.losses import loss_by
from nas.training.recipe import Recipe
from nas.training.recipe_choices import chosen_recipe
from nas.training.shared_weights import SharedWeights

CALIBRATION_SAMPLES = 256
COVERAGE_SAMPLES = 512
"""Other training samples, by which `calibration_coverage` tells how well the first ones stand for all."""
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
    `REPAIRABLE` times the limit. Ranges of activations are calibrated on `CALIBRATION_SAMPLES` of the
    training samples, drawn by class. `device` gives the latency (None: latency is not measured). `seed` is
    the seed of the run, from which that of each candidate is derived. The accuracy is that of runtimes
    that round by `rounding`. Networks are trained and validated on the `accelerator`, and compressed and
    lowered on the processor. Networks start from the `shared` weights (None: as they were initialized).
    `named` are metrics of quality that are measured beside those that a task of this kind always has.
    Files have the `preprocessing` (None: none), and are longer by it.
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
    rounding: Rounding = "single"
    accelerator: Accelerator = "cpu"
    shared: SharedWeights | None = None
    named: Sequence[str] = ()
    preprocessing: Preprocessing | None = None

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
        stop = GivingUp(stop)
        genotype = self.space.choices.canonical(proposal.genotype)
        design = self.space.choices.decode(genotype)
        metrics: Mapping[str, float] = {}
        history: tuple[Epoch, ...] = ()
        trained, status, reason, trace = None, Status.OK, "", ""
        length: FileLength | None = None
        try:
            with seeded(candidate_seed(self.seed, genotype)):
                images = self.calibration if self._known else self.task.example
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
                    training = self.training(design, genotype)
                    if self._known and before == 0:
                        model, history = compressed, training.finetune(compressed, after, stop)
                    else:
                        model, history = training.both_phases(built, proposal.epochs, stop)
                    if self._predicts and not stop.gave_up:
                        packed = file_of(model, self.calibration)
                        if self.preprocessing is not None:
                            packed = with_preprocessing(packed, self.preprocessing)
                        length = compare(metrics["size_bytes"], parts, packed)
                    if self._may_be_repaired(length) and not stop.gave_up:
                        choices = self.space.choices
                        longest = self._longest - self._preprocessing_bytes
                        model, design, more = training.repaired(model, choices, longest, after)
                        history += more
                    if stop.gave_up:
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
            trace = traced(error)
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
            traceback=trace,
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
        narrow = self.built(design, calibration)
        return narrow, make(narrow, design, self.compressors, calibration)

    def built(self, design: Design, calibration: Tensor) -> nn.Module:
        """The network of a design as it is before any training, which torch's generator initializes:
        narrowed by `calibration`, training inputs [N, …].
        """
        built = self.space.build(design, self.task.example, self.task.outputs)
        return compress(built, design, self.narrowing, calibration) if self.narrowing else built

    def _count(
        self, compressed: nn.Module, device: Device | None, prediction: SizePrediction
    ) -> tuple[dict[str, float], Parts]:
        if self._predicts:
            counted, parts = count_predicted(compressed, self.task, device, prediction)
        else:
            counted = (count_packed if self._known else count)(compressed, self.task, device)
            parts = {}
        more = self._preprocessing_bytes
        if more == 0:
            return counted, parts
        longer = {name: counted[name] + more for name in ("size_bytes", "flash_bytes")}
        return {**counted, **longer}, {**parts, REST: parts[REST] + more} if parts else {}

    @property
    def _preprocessing_bytes(self) -> int:
        return 0 if self.preprocessing is None else len(written_preprocessing(self.preprocessing))

    def training(self, design: Design, genotype: Genotype) -> CandidateTraining:
        """How a candidate is trained, with the settings of the recipe that its design chooses."""
        recipe = chosen_recipe(self.recipe, design)
        return CandidateTraining(
            design=design,
            recipe=recipe,
            task=self.resident,
            loss=loss_by(recipe, self.resident, self.loss),
            compressors=self.compressors,
            calibration=self.calibration,
            seed=candidate_seed(self.seed, genotype),
            shared=self.shared,
        )

    def measure(
        self, model: nn.Module, counted: Mapping[str, float]
    ) -> tuple[TrainedCandidate, dict[str, float]]:
        """The packed file of a trained network, and its metrics; see `nas.evaluation.measuring`."""
        others = self._drawn[CALIBRATION_SAMPLES:]
        validation = self.resident.validation
        return measure(
            model,
            counted,
            validation,
            self.calibration,
            others,
            self.rounding,
            self.task.kind,
            self.named,
            self.preprocessing,
        )

    @cached_property
    def resident(self) -> Task:
        """The task with its samples on the accelerator."""
        return self.task.to(self.accelerator)

    @property
    def calibration(self) -> Tensor:
        """The training inputs that ranges are calibrated on, [N, …]."""
        return self._drawn[:CALIBRATION_SAMPLES]

    @cached_property
    def _drawn(self) -> Tensor:
        """The inputs to calibrate on, and behind them others; all as they are if they are no more."""
        train = self.task.train
        if len(train.labels) <= CALIBRATION_SAMPLES:
            return train.inputs
        order = stratified_order(train.labels, generator(self.seed, "calibration"))
        return train.inputs[order[: CALIBRATION_SAMPLES + COVERAGE_SAMPLES]]

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
    return f"{described(error)} ({place.name}, line {place.lineno})"
