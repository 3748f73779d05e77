"""`nas doctor`: what this machine and this installation can do."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas import __version__
from nas.cli.command_parser import command_parser
from nas.executors.local_processes import cores

LIBRARIES = (
    "torch",
    "numpy",
    "scikit-learn",
    "onnx",
    "onnxruntime",
    "tensorboard",
    "torch-pruning",
    "moocore",
    "deap",
    "jsonargparse",
)
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class Extra:
    """An extra of the package: the `module` that shows whether it is installed, and what it `gives`."""

    module: str
    gives: str


EXTRAS: Mapping[str, Extra] = {
    "optuna": Extra("optuna", "--strategy tpe and gp, nas export --to optuna"),
    "parquet": Extra("pyarrow", "nas export --to parquet"),
    "mlflow": Extra("mlflow", "nas run --mlflow"),
    "notebook": Extra("nbclient", "notebooks, and data frames of runs"),
    "dashboard": Extra(
        "optuna_dashboard", "optuna-dashboard, for what nas export --to optuna writes"
    ),
    "rl": Extra(
        "stable_baselines3", "agents of stable-baselines3 that search (benchmarks/agent.py)"
    ),
    "compare": Extra("brevitas", "comparisons of quantizers with Brevitas"),
    "tflite": Extra("tflite", "nas export --to tflite and tflite-micro"),
    "ethos": Extra("ethosu", "latencies of Ethos-U processors: --target ethos-u55-128"),
    "docs": Extra("sphinx", "make docs"),
    "ray": Extra("ray", "--executor ray"),
    "slurm": Extra("submitit", "--executor submitit"),
}


def main(arguments: Sequence[str]) -> None:
    """Runs `nas doctor`."""
    parser = command_parser(
        "doctor", "Shows versions, threads, accelerators, and what extras would add."
    )
    parser.parse_args(arguments)
    console = Console()
    for title, rows in (
        ("this machine", machine()),
        ("versions", versions()),
        ("extras", extras()),
    ):
        table = Table(title=title, show_header=False)
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)


def machine() -> list[tuple[str, str]]:
    """The processor, its threads and the accelerators that torch finds."""
    import torch

    set_threads = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    found = [
        f"cuda:{index} {torch.cuda.get_device_name(index)}"
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("cores", f"{cores()}, one worker each unless the window is smaller"),
        ("threads of torch", f"{torch.get_num_threads()}; a candidate uses one"),
        ("environment", ", ".join(set_threads) or "sets no threads"),
        ("accelerators", ", ".join(found) or "none"),
    ]


def versions() -> list[tuple[str, str]]:
    """Of this package, Python and the libraries that results depend on."""
    return [
        ("compact-nas", __version__),
        ("Python", platform.python_version()),
        *((name, _version(name)) for name in LIBRARIES),
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def extras() -> list[tuple[str, str, str]]:
    """Each extra, whether it is installed, and what it gives."""
    return [
        (
            name,
            "installed"
            if find_spec(extra.module)
            else f"missing: pip install 'compact-nas[{name}]'",
            extra.gives,
        )
        for name, extra in EXTRAS.items()
    ]
