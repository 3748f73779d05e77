"""The strategies by the names that users type, and their settings out of text."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Literal, get_args

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
]

# By path: whoever searches with one must not wait for what another one imports, nor need it
# installed.
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
}

NAMES: tuple[StrategyName, ...] = get_args(StrategyName)


def strategy_class(name: StrategyName) -> Callable[..., Strategy]:
    """The class, whose first arguments are the choices and a generator.

    Raises:
        ValueError: if it needs a package that is not installed.
    """
    module, _, attribute = _CLASSES[name].rpartition(".")
    try:
        found: Callable[..., Strategy] = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ValueError(
            f"the strategy {name!r} cannot be used here, unlike {NAMES}: {error}"
        ) from error
    return found


def configured(name: StrategyName, options: Mapping[str, str]) -> partial[Strategy]:
    """The class with settings, each converted to the type that the constructor's signature gives
    it.

    Raises:
        ValueError: if the constructor has no such setting, or it is of another type.
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
