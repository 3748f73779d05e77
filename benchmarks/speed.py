"""The time to lower, pack and unpack a network, and that of its program relative to the network in
floats.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import digits
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.program import logits
from nas.seeds import generator, seeded
from nas.space import Design
from nas.threads import one_thread
from nas.training.fit import logits as network_logits
from search_spaces.conv_stages import ConvStages

OPERATORS = ("conv3x3", "separable", "inverted")


def network(operator: str) -> nn.Module:
    """A network for the digits whose stages have one operator."""
    choices = {"op": operator, "width": 48, "depth": 2}
    design = {
        f"stage{stage}.{kind}": option for stage in range(3) for kind, option in choices.items()
    }
    with seeded(0):
        return ConvStages().build(Design(design), torch.zeros(1, 1, 8, 8), 10)


def seconds(run: Callable[[], object]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@one_thread()
def main() -> None:
    """Prints a row for each operator; the ratio is the median over rounds in which both run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    task = digits(generator(0, "digits"))
    images, calibration = task.train.inputs, task.train.inputs[:256]
    print(
        f"{'operator':<12}{'params':>9}{'lower ms':>10}{'pack ms':>9}{'load ms':>9}{'sum ms':>8}{'fp32 ms':>9}{'ratio':>7}"
    )
    for operator in OPERATORS:
        floating = network(operator).eval()
        params = sum(parameter.numel() for parameter in floating.parameters())
        quantized = snapped(compress(floating, {"bits": 4}, [Quantization()], calibration))
        program = lower(quantized, calibration)
        packed = pack(program)
        loaded = unpack(packed)
        steps = (
            lambda: lower(quantized, calibration),  # noqa: B023
            lambda: pack(program),  # noqa: B023
            lambda: unpack(packed),  # noqa: B023
        )
        runs = (*steps, lambda: network_logits(floating, images), lambda: logits(loaded, images))  # noqa: B023
        times = [[seconds(run) for run in runs] for _ in range(rounds)]
        lowered, written, read, plain, _ = (
            1000 * statistics.median(column) for column in zip(*times, strict=True)
        )
        ratio = statistics.median(row[4] / row[3] for row in times)
        total = lowered + written + read
        print(
            f"{operator:<12}{params:>9}{lowered:>10.1f}{written:>9.1f}{read:>9.1f}{total:>8.1f}{plain:>9.1f}{ratio:>7.2f}"
        )


if __name__ == "__main__":
    main()
