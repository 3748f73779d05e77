"""A search for the most accurate network for handwritten digits within a budget."""

import warnings
from typing import Literal

from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.data import digits as read_digits
from nas.experiment import Experiment
from nas.measure import Device, Roofline
from nas.measure.boards import BoardName, limits_on
from nas.measure.targets import device_of_board, target_device
from nas.objective import Budget, Objective
from nas.seeds import generator
from nas.soft_target import SoftTarget
from nas.space import Design, SearchSpace
from nas.training.distil import Teacher
from nas.training.recipe import Recipe
from nas.training.stopping import MedianStop
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp
from strategies.auto import AutoName, strategy_for
from strategies.multi_fidelity.halving import Fidelity, at_fidelity


def digits(
    strategy: AutoName = "auto",
    space: Literal["conv", "mlp"] = "conv",
    trials: int = 60,
    size_bytes: int | None = 4096,
    flash_bytes: int | None = None,
    params: int | None = None,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    latency_ms: float | None = None,
    target: str | None = None,
    target_bytes: int | None = None,
    target_exponent: float = -0.07,
    macs_per_second: float = 1e8,
    bytes_per_second: float = 1e8,
    teacher: bool = False,
    fidelity: Fidelity = "full",
    median_stop: bool = False,
    device: str | None = None,
    epochs: int = 16,
    finetune_epochs: int = 8,
    seed: int = 0,
    board: BoardName | None = None,
    preprocessing: bool = False,
) -> Experiment:
    """Searches for a network on scikit-learn's 8x8 handwritten digits.

    Args:
        strategy: search strategy; auto is what is best for one or several objectives and the trials;
            tpe and gp need the extra optuna
        space: convolutional stages, or multilayer perceptrons
        trials: number of candidates to train
        size_bytes: largest size of the packed file, in bytes
        flash_bytes: largest size on a device, which stores weights without coding, in bytes
        params: largest number of trainable parameters
        macs: largest number of multiply-accumulates for one image
        peak_memory_bytes: largest peak memory of activations, in bytes
        latency_ms: largest latency of one image on the target, in milliseconds
        target: device of the latency: roofline, with the two rates below; onnxruntime, on this
            processor; cortex-m4, by instructions; ethos-u55-128 or another NPU, with the extra ethos;
            or a table that nas profile wrote. By default the processor of the board, if it is one of
            these, else roofline
        target_bytes: size to aim at instead of minimizing it: the accuracy is multiplied by
            (size / target) ** exponent
        target_exponent: exponent of this penalty, below 0
        macs_per_second: multiply-accumulates per second of the roofline
        bytes_per_second: bytes of memory traffic per second of the roofline
        teacher: whether candidates also learn from the soft labels of a larger network
        fidelity: full trains all candidates for all epochs; halving (successive halving) and
            hyperband train many for few epochs and the best of them longer
        median_stop: whether training stops for candidates below the median of earlier ones
        device: former name of target
        epochs: training epochs before compression
        finetune_epochs: training epochs after compression
        seed: seed of the search and of training; the split of the data is fixed
        board: a board whose flash and memory limit flash_bytes and peak_memory_bytes, where they are not
            smaller already: uno, pico, nano33ble, stm32f4, stm32h7 or esp32
        preprocessing: files say how raw pixels become inputs, and are 5 bytes longer
    """
    if device is not None:
        warnings.warn("device is called target now", FutureWarning, stacklevel=2)
        target = device
    limits = {
        "size_bytes": size_bytes,
        "flash_bytes": flash_bytes,
        "params": params,
        "macs": macs,
        "peak_memory_bytes": peak_memory_bytes,
        "latency_ms": latency_ms,
    }
    spaces: dict[str, SearchSpace] = {"conv": ConvStages(), "mlp": Mlp()}
    objective = Objective(
        maximize=("accuracy",),
        minimize=("size_bytes",) if target_bytes is None else (),
        budget=Budget(limits_on(board, limits)),
        soft_target=None
        if target_bytes is None
        else SoftTarget("size_bytes", target_bytes, target_exponent),
    )
    return Experiment(
        space=spaces[space],
        narrowing=(ChannelPruning(),),
        compressors=(Quantization(),),
        task=read_digits(generator(0, "digits")),
        recipe=Recipe(epochs=epochs, finetune_epochs=finetune_epochs),
        objective=objective,
        strategy=at_fidelity(
            fidelity, strategy_for(strategy, objective, trials), epochs + finetune_epochs
        ),
        trials=trials,
        packs_preprocessing=preprocessing,
        seed=seed,
        teacher=Teacher(build=_teacher) if teacher else None,
        device=None
        if latency_ms is None and target in (None, "roofline")
        else _device(target, board, Roofline("stated rates", macs_per_second, bytes_per_second)),
        stop=MedianStop() if median_stop else None,
    )


def _device(target: str | None, board: BoardName | None, roofline: Roofline) -> Device:
    if target is None:
        return (None if board is None else device_of_board(board)) or roofline
    return roofline if target == "roofline" else target_device(target, board)


def _teacher(example: Tensor, classes: int) -> nn.Module:
    """A convolutional network of about 100,000 parameters in 32-bit floats."""
    design = {
        f"stage{stage}.{kind}": option
        for stage in range(3)
        for kind, option in (("op", "conv3x3"), ("width", 48), ("depth", 2))
    }
    return ConvStages().build(Design(design), example, classes)


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(digits)
