"""How far the packed files of random designs agree with the networks that they were made from, for
every space.
"""

import argparse

import numpy as np
import torch

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.data import digits
from nas.lowering import lower, snapped
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.packed import ledger, pack, unpack
from nas.program import logits
from nas.seeds import generator, seeded
from nas.space import SearchSpace
from nas.training.fit import cross_entropy, fit
from nas.training.fit import logits as network_logits
from nas.training.recipe import Recipe
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp

SPACES: tuple[SearchSpace, ...] = (ConvStages(), Mlp())


def main() -> None:
    """Prints a row for each space: outputs within one step of the network's, the same top-1 as the
    network, ONNX Runtime's same top-1 as the file, and ledgers that sum to the length.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=200)
    designs = parser.parse_args().designs
    torch.set_num_threads(1)
    task, compressors = digits(generator(0, "digits")), (ChannelPruning(), Quantization())
    inputs, calibration = (
        torch.cat([task.validation.inputs, task.test.inputs]),
        task.train.inputs[:256],
    )
    shares = (
        f"{'within 1 step':>15}{'worst':>9}{'top-1':>9}{'worst':>9}{'ONNX top-1':>12}{'worst':>9}"
    )
    print(f"{'space':<12}{'designs':>8}{shares}{'ledger':>8}")
    for space in SPACES:
        rng = generator(0, "agreement")
        within, same, runtime, exact = [], [], [], 0
        for _ in range(designs):
            genotype = space.choices.sample(rng)
            design = space.choices.decode(genotype)
            with seeded(0):
                model = compress(
                    space.build(design, task.example, task.classes),
                    design,
                    compressors,
                    calibration,
                )
                shuffle = torch.Generator().manual_seed(0)
                fit(model, task, Recipe(), epochs=1, lr=5e-3, loss=cross_entropy, generator=shuffle)
            packed = pack(lower(snapped(model), calibration))
            program = unpack(packed)
            said, expected = logits(program, inputs), network_logits(model, inputs).numpy()
            runtime.append(
                float(
                    (run_onnx(to_onnx(program), inputs.numpy()).argmax(1) == said.argmax(1)).mean()
                )
            )
            steps = np.abs(np.rint((said - expected) / program.tensors[-1].scale))
            within.append(float((steps <= 1).mean()))
            same.append(float((said.argmax(1) == expected.argmax(1)).mean()))
            exact += sum(entry.bytes for entry in ledger(packed)) == len(packed)
        name = type(space).__name__
        shares = (
            f"{np.mean(within):>15.5f}{min(within):>9.5f}{np.mean(same):>9.5f}{min(same):>9.5f}"
        )
        print(
            f"{name:<12}{designs:>8}{shares}{np.mean(runtime):>12.5f}{min(runtime):>9.5f}{exact:>8}",
            flush=True,
        )


if __name__ == "__main__":
    main()
