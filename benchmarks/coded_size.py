"""How many bytes coding leaves of networks trained from scratch, and how well their files are predicted.

`python -m benchmarks.coded_size` trains random designs on the handwritten digits, and prints what coding leaves of plain weights,
by their bits and their number in a layer, the bits of biases, and the errors of predictions: of those that have learnt nothing, and
of those that know the files before. `--runs FOLDER …` trains nothing, and prints for each run directory what share of the budget
the best and the median candidate use, and how many were refused.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import Compressor
from nas.data import digits
from nas.evaluation import Evaluator
from nas.evaluation.coded_size import found_parts, learnt
from nas.file_length import rms_error
from nas.objective import Budget, Evaluation, Status, best
from nas.packed import ledger, unpack
from nas.packed.encodings import encode
from nas.packed.layers import plain_weight_bytes
from nas.program.operations import Layer
from nas.runs.journal import read_journal
from nas.runs.journal_format import objective_of
from nas.seeds import generator
from nas.space import SearchSpace
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training.fit import cross_entropy
from nas.training.recipe import Recipe
from search_spaces import ConvBlocks, ConvStages

RECIPE = Recipe(epochs=8, finetune_epochs=4)
SPACES: dict[str, tuple[SearchSpace, tuple[Compressor, ...]]] = {
    "ConvStages": (ConvStages(), (ChannelPruning(),)),
    "ConvBlocks": (ConvBlocks(), ()),
}
SIZES = (0, 300, 1000, 3000)
"""Layers are told apart by the most of these numbers of weights that they exceed."""


def files(name: str, count: int, flash_bytes: int) -> tuple[list[bytes], list[Evaluation]]:
    """The files of random designs of a space, and their evaluations with predictions."""
    space, narrowing = SPACES[name]
    evaluate = Evaluator(
        space=space,
        compressors=(Quantization(),),
        task=digits(generator(0, "digits")),
        recipe=RECIPE,
        # No file is longer than it is uncoded, so that none is repaired or refused.
        budget=Budget({"flash_bytes": flash_bytes, "size_bytes": flash_bytes}),
        device=None,
        loss=cross_entropy,
        seed=0,
        narrowing=narrowing,
    )
    rng, packed, evaluations = generator(0, "coded size"), list[bytes](), list[Evaluation]()
    while len(packed) < count:
        proposal = Proposal(space.choices.sample(rng))
        evaluation, trained = evaluate(len(packed), proposal, prediction=learnt(evaluations))
        if trained is not None:
            packed.append(trained.packed)
            evaluations.append(evaluation)
    return packed, evaluations


def print_layers(packed: Sequence[bytes]) -> None:
    """Prints the median share that coding leaves of plain weights, by bits and size of layers."""
    shares = defaultdict[tuple[int, int], list[float]](list)
    for each in packed:
        for layer in unpack(each).operations:
            if isinstance(layer, Layer):
                weights = layer.weights
                coded = len(encode(weights.values, weights.bits).data)
                size = max(size for size in SIZES if weights.size > size)
                shares[weights.bits, size].append(coded / plain_weight_bytes(weights))
    print(f"| bits | {' | '.join(f'above {size:,} weights' for size in SIZES)} |")
    print(f"|---{'|---' * len(SIZES)}|")
    for bits in sorted({bits for bits, _ in shares}):
        rows = [shares[bits, size] for size in SIZES]
        cells = [f"{median(row):.3f} of {len(row)}" if row else "" for row in rows]
        print(f"| {bits} | {' | '.join(cells)} |")


def bias_bits(packed: bytes) -> float:
    """The mean bits of a bias of a file."""
    layers = [each for each in unpack(packed).operations if isinstance(each, Layer)]
    taken = sum(entry.bytes for entry in ledger(packed) if entry.purpose == "biases")
    return 8 * taken / sum(len(layer.biases) for layer in layers)


def print_errors(name: str, packed: Sequence[bytes], evaluations: Sequence[Evaluation]) -> None:
    """Prints the errors of predictions without learning, and with it."""
    lengths = [each.file_length for each in evaluations if each.file_length is not None]
    unlearnt = []
    for length, each in zip(lengths, packed, strict=True):
        found, logs = found_parts(each), length.parts
        expected = sum(found[part] / math.exp(log) for part, log in logs.items())
        unlearnt.append(replace(length, predicted=expected))
    errors = f"{rms_error(unlearnt):.1%} without learning, {rms_error(lengths):.1%} with it"
    print(f"{name}, {len(packed)} files: an error of {errors}")


def print_run(out: Path) -> None:
    """Prints a row for a run directory."""
    header, evaluations = read_journal(out)
    objective = objective_of(header)
    limit = objective.budget.limits["size_bytes"]
    trained = [each for each in evaluations if each.status is Status.OK]
    leader = best(evaluations, objective)
    shares = [each.metrics["size_bytes"] / limit for each in trained]
    refused = sum(not each.is_trial for each in evaluations)
    over = sum(each.status is Status.OVER_BUDGET and each.is_trial for each in evaluations)
    lengths = [each.file_length for each in evaluations if each.file_length is not None]
    cells = (
        f"{len(trained)}",
        f"{refused}",
        f"{over}",
        "" if leader is None else f"{leader.metrics['size_bytes'] / limit:.0%}",
        f"{median(shares):.0%}",
        f"{max(shares):.0%}",
        "" if leader is None else f"{leader.metrics['accuracy']:.4f}",
        f"{rms_error(lengths):.1%}" if lengths else "",
    )
    print(f"| {out.name} | {' | '.join(cells)} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints what the arguments ask for."""
    parser = argparse.ArgumentParser("python -m benchmarks.coded_size", description=__doc__)
    parser.add_argument("--designs", type=int, default=12, help="of each space")
    parser.add_argument("--flash-bytes", type=int, default=8192, help="the most of a design")
    parser.add_argument("--runs", type=Path, nargs="+", default=[])
    given = parser.parse_args(arguments)
    if given.runs:
        print(
            "| run | trained | refused | over when trained | best uses | median uses | longest uses | accuracy | error |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for out in given.runs:
            print_run(out)
        return
    packed = list[bytes]()
    with one_thread():
        for name in SPACES:
            found, evaluations = files(name, given.designs, given.flash_bytes)
            print_errors(name, found, evaluations)
            packed += found
    print_layers(packed)
    print(f"bits of a bias: {fmean(map(bias_bits, packed)):.1f}")


if __name__ == "__main__":
    main()
