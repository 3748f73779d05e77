"""The options of a search, and the experiment that they make with the parts of one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from experiments.options.limits import Limits
from experiments.options.training import TrainingOptions
from nas.compress import Compressor
from nas.data import Task
from nas.experiment import Experiment
from nas.objective import Budget, Objective
from nas.soft_target import SoftTarget
from nas.space import SearchSpace
from nas.strategy import StrategyFactory
from nas.training.distil import Teacher
from nas.training.recipe import Recipe
from nas.training.stopping import MedianStop
from strategies.auto import AutoName, strategy_for
from strategies.multi_fidelity.halving import Fidelity, at_fidelity


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Limits, TrainingOptions):
    """How the search goes.

    A parameter of an experiment function that is annotated with this class makes each of its fields
    an option of `nas run`, those of `Limits` and `TrainingOptions` among them; the parameter's default
    has the experiment's own defaults.

    Args:
        strategy: search strategy; auto is what is best for one or several objectives and the trials;
            tpe and gp need the extra optuna
        trials: number of candidates to train
        fidelity: full trains all candidates for all epochs; halving (successive halving) and
            hyperband train many for few epochs and the best of them longer
        target_bytes: size to aim at instead of minimizing it: the accuracy is multiplied by
            (size / target) ** exponent
        target_exponent: exponent of this penalty, below 0
        preprocessing: files say how raw values become inputs, and are longer: by a byte where those are
            pixels of 0 to 255, by 5 where they are digits', by 5 and 8 for each feature or channel of
            tables and signals
        seed: seed of the search and of training; the split of the data is fixed
    """

    strategy: AutoName = "evolution"
    trials: int = 60
    fidelity: Fidelity = "full"
    target_bytes: int | None = None
    target_exponent: float = -0.07
    preprocessing: bool = False
    seed: int = 0

    def experiment(
        self,
        *,
        space: SearchSpace,
        compressors: tuple[Compressor, ...],
        task: Task,
        narrowing: tuple[Compressor, ...] = (),
        recipe: Recipe = Recipe(),  # noqa: B008 - frozen
        final_recipe: Recipe | None = None,
        teacher: Teacher | None = None,
        begun: Callable[[Experiment], StrategyFactory] | None = None,
        **rungs: int,
    ) -> Experiment:
        """The experiment of these options and its own parts: the accuracy is maximized, and the size of
        the file minimized.

        `recipe` has the settings that the options do not state, `teacher` is the one that candidates
        have if they ask for one, and `begun` gives the strategy with what it begins with (None: with
        nothing), inside of the fidelity, whose settings are `rungs`.

        Raises:
            ValueError: if there is no teacher, but the options ask for one; or as an `Experiment` does.
        """
        if self.teacher and teacher is None:
            raise ValueError(
                "teacher must be false for an experiment that has no larger network, but is true"
            )
        aimed = self.target_bytes
        objective = Objective(
            maximize=("accuracy",),
            minimize=("size_bytes",) if aimed is None else (),
            budget=Budget(self.limits),
            soft_target=None
            if aimed is None
            else SoftTarget("size_bytes", aimed, self.target_exponent),
        )
        made = Experiment(
            space=space,
            narrowing=narrowing,
            compressors=compressors,
            task=task,
            samples=self.samples,
            recipe=self.recipe(recipe),
            final_recipe=final_recipe,
            objective=objective,
            strategy=strategy_for(self.strategy, objective, self.trials),
            trials=self.trials,
            packs_preprocessing=self.preprocessing,
            seed=self.seed,
            teacher=teacher if self.teacher else None,
            device=self.device,
            stop=MedianStop() if self.median_stop else None,
        )
        epochs = self.epochs + self.finetune_epochs
        first = made.strategy if begun is None else begun(made)
        return replace(made, strategy=at_fidelity(self.fidelity, first, epochs, **rungs))
