"""The most accurate network for handwritten digits that fits a budget."""

from typing import Literal

from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from experiments.strategies import Name, strategy_class
from nas.data import digits as read_digits
from nas.distill import Teacher
from nas.experiment import Experiment
from nas.measure import Roofline
from nas.objective import Budget, Objective
from nas.seeds import generator
from nas.space import SearchSpace
from nas.train import Recipe
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp


def digits(
    strategy: Name = "evolution",
    space: Literal["conv", "mlp"] = "conv",
    trials: int = 60,
    size_bytes: int | None = 4096,
    params: int | None = None,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    latency_ms: float | None = None,
    macs_per_second: float = 1e8,
    bytes_per_second: float = 1e8,
    teacher: bool = False,
    epochs: int = 16,
    finetune_epochs: int = 8,
    seed: int = 0,
) -> Experiment:
    """Searches a network for scikit-learn's 8x8 handwritten digits.

    Args:
        strategy: how candidates are chosen
        space: convolutional stages, or multilayer perceptrons
        trials: how many candidates are trained
        size_bytes: most bytes of the stored network
        params: most trainable parameters
        macs: most multiply-accumulates for one image
        peak_memory_bytes: most bytes of activations alive at once
        latency_ms: most milliseconds for one image on a device of the two rates below
        macs_per_second: multiply-accumulates per second of the device
        bytes_per_second: bytes of memory traffic per second of the device
        teacher: whether candidates also learn from the soft labels of a larger network
        epochs: training epochs before compression
        finetune_epochs: training epochs after compression
        seed: of everything random but the split of the data, which is always the same
    """
    limits = {
        "size_bytes": size_bytes,
        "params": params,
        "macs": macs,
        "peak_memory_bytes": peak_memory_bytes,
        "latency_ms": latency_ms,
    }
    spaces: dict[str, SearchSpace] = {"conv": ConvStages(), "mlp": Mlp()}
    return Experiment(
        space=spaces[space],
        compressors=(ChannelPruning(), Quantization()),
        task=read_digits(generator(0, "digits")),
        recipe=Recipe(epochs, finetune_epochs),
        objective=Objective(
            ("accuracy",), ("size_bytes",), Budget({name: limit for name, limit in limits.items() if limit is not None})
        ),
        strategy=strategy_class(strategy),
        trials=trials,
        seed=seed,
        teacher=Teacher(_teacher) if teacher else None,
        device=None if latency_ms is None else Roofline("stated rates", macs_per_second, bytes_per_second),
    )


def _teacher(example: Tensor, classes: int) -> nn.Module:
    """A convolutional network of about 100,000 parameters in 32-bit floats."""
    design = {
        f"stage{stage}.{kind}": option for stage in range(3) for kind, option in (("op", "conv3x3"), ("width", 48), ("depth", 2))
    }
    return ConvStages().build(design, example, classes)


if __name__ == "__main__":
    from nas.__main__ import run_script

    run_script(digits)
