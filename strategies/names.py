"""Strategies by name, and their settings parsed from text."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Literal, get_args

from jsonargparse import ArgumentError, ArgumentParser

from nas.strategy import Strategy

StrategyName = Literal[
    "random",
    "grid",
    "local_search",
    "annealing",
    "evolution",
    "nsga2",
    "nsga3",
    "reinforce",
    "tpe",
    "gp",
    "surrogate",
    "parego",
]

# By path, so that one strategy neither imports nor requires the libraries of another.
_CLASSES: Mapping[StrategyName, str] = {
    "random": "strategies.random_search.RandomSearch",
    "grid": "strategies.grid.Grid",
    "local_search": "strategies.local_search.LocalSearch",
    "annealing": "strategies.annealing.Annealing",
    "evolution": "strategies.evolutionary.aging.AgingEvolution",
    "nsga2": "strategies.evolutionary.nsga2.Nsga2",
    "nsga3": "strategies.evolutionary.nsga3.Nsga3",
    "reinforce": "strategies.reinforcement.reinforce.Reinforce",
    "tpe": "strategies.bayesian.optuna_search.Tpe",
    "gp": "strategies.bayesian.optuna_search.OptunaGaussianProcess",
    "surrogate": "strategies.bayesian.surrogate.Surrogate",
    "parego": "strategies.bayesian.surrogate.Surrogate",
}
# Settings that make a strategy of a name of its own; options may overrule them.
_SETTINGS: Mapping[StrategyName, Mapping[str, Any]] = {"parego": {"front": True}}

NAMES: tuple[StrategyName, ...] = get_args(StrategyName)


def strategy_class(name: StrategyName) -> Callable[..., Strategy]:
    """The class of a strategy; the first arguments of its constructor are choices and a generator.

    Raises:
        ValueError: if the strategy needs a package that is not installed.
    """
    module, _, attribute = _CLASSES[name].rpartition(".")
    try:
        strategy: Callable[..., Strategy] = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ValueError(
            f"a strategy of {NAMES} must have its packages installed, but {name!r} has not: {error}"
        ) from error
    return partial(strategy, **_SETTINGS[name]) if name in _SETTINGS else strategy


def configured(name: StrategyName, options: Mapping[str, str]) -> partial[Strategy]:
    """The class of a strategy with settings, each parsed as the type of its constructor argument.

    Raises:
        ValueError: if the constructor has no such argument, or the text is not of its type.
    """
    make = strategy_class(name)
    known = {
        key: value
        for key, value in inspect.signature(make, eval_str=True).parameters.items()
        if key not in ("choices", "rng")
    }
    parser = ArgumentParser(exit_on_error=False)
    for key, parameter in known.items():
        parser.add_argument(f"--{key}", type=parameter.annotation, default=parameter.default)
    settings = {}
    for key, text in options.items():
        if key not in known:
            raise ValueError(
                f"an option of {name!r} must be one of {tuple(known)}, but got {key!r}"
            )
        try:
            settings[key] = parser.parse_args([f"--{key}={text}"])[key]
        except ArgumentError as error:
            wanted = inspect.formatannotation(known[key].annotation)
            raise ValueError(
                f"the option {key!r} of {name!r} must be of type {wanted}, but got {text!r}"
            ) from error
    return partial(make, **settings)
