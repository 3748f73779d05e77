"""How well packed files of random designs agree with the networks that they were made from."""

import argparse
from dataclasses import dataclass

import numpy as np
import torch

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import Task, digits
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.packed import ledger, pack, unpack
from nas.program import logits
from nas.seeds import generator, seeded
from nas.space import Genotype, SearchSpace
from nas.threads import one_thread
from nas.training.fit import cross_entropy, fit
from nas.training.fit import logits as network_logits
from nas.training.recipe import Recipe
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp

SPACES: tuple[SearchSpace, ...] = (ConvStages(), Mlp())
COMPRESSORS = (ChannelPruning(), Quantization())


@dataclass(frozen=True)
class Agreement:
    """Of one design: the share of logits within one step of the network's, the shares of samples
    with the network's top-1 class and with ONNX Runtime's, and whether the ledger is complete.
    """

    within_one_step: float
    top_1: float
    onnx_top_1: float
    ledger: bool


@one_thread()
def agreement(space: SearchSpace, genotype: Genotype, task: Task) -> Agreement:
    """Trains a candidate for one epoch, packs it, and compares it with its file."""
    design, calibration = space.choices.decode(genotype), task.train.inputs[:256]
    with seeded(0):
        built = space.build(design, task.example, task.classes)
        model = compress(built, design, COMPRESSORS, calibration)
        shuffle = torch.Generator().manual_seed(0)
        fit(model, task, Recipe(), epochs=1, lr=5e-3, loss=cross_entropy, generator=shuffle)
    packed = pack(lower(snapped(model), calibration))
    program = unpack(packed)
    inputs = torch.cat([task.validation.inputs, task.test.inputs])
    found, expected = logits(program, inputs), network_logits(model, inputs).numpy()
    onnx_logits = run_onnx(to_onnx(program), inputs.numpy())
    steps = np.abs(np.rint((found - expected) / program.tensors[-1].scale))
    return Agreement(
        within_one_step=float((steps <= 1).mean()),
        top_1=float((found.argmax(1) == expected.argmax(1)).mean()),
        onnx_top_1=float((found.argmax(1) == onnx_logits.argmax(1)).mean()),
        ledger=sum(entry.bytes for entry in ledger(packed)) == len(packed),
    )


def main() -> None:
    """Prints a row for each space: mean and worst shares, and the number of complete ledgers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=200)
    designs = parser.parse_args().designs
    task = digits(generator(0, "digits"))
    titles = "".join(f"{name:>15}{'worst':>9}" for name in ("within 1 step", "top-1", "ONNX top-1"))
    print(f"{'space':<12}{'designs':>8}{titles}{'ledger':>8}")
    for space in SPACES:
        rng = generator(0, "agreement")
        found = [agreement(space, space.choices.sample(rng), task) for _ in range(designs)]
        columns = (
            [each.within_one_step for each in found],
            [each.top_1 for each in found],
            [each.onnx_top_1 for each in found],
        )
        shares = "".join(f"{np.mean(column):>15.5f}{min(column):>9.5f}" for column in columns)
        complete = sum(each.ledger for each in found)
        print(f"{type(space).__name__:<12}{designs:>8}{shares}{complete:>8}", flush=True)


if __name__ == "__main__":
    main()
