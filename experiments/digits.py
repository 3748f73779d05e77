"""A search for the most accurate network for handwritten digits within a budget."""

import warnings
from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from experiments.options import SearchOptions
from nas.data import digits as read_digits
from nas.experiment import Experiment
from nas.seeds import generator
from nas.space import Design, SearchSpace
from nas.training.distil import Teacher
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp

DEFAULTS = SearchOptions(size_bytes=4096, epochs=16, finetune_epochs=8)


def digits(
    options: SearchOptions = DEFAULTS,
    space: Literal["conv", "mlp"] = "conv",
    device: str | None = None,
) -> Experiment:
    """Searches for a network on scikit-learn's 8x8 handwritten digits.

    With the defaults it takes some five minutes on two cores; two trials gave a file of 4,024 bytes that is
    right about 93 % of the validation samples.

    Args:
        space: convolutional stages, or multilayer perceptrons
        device: former name of target
    """
    if device is not None:
        warnings.warn("device is called target now", FutureWarning, stacklevel=2)
        options = replace(options, target=device)
    spaces: dict[str, SearchSpace] = {"conv": ConvStages(), "mlp": Mlp()}
    return options.experiment(
        space=spaces[space],
        narrowing=(ChannelPruning(),),
        compressors=(Quantization(),),
        task=read_digits(generator(0, "digits")),
        teacher=Teacher(build=_teacher),
    )


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
