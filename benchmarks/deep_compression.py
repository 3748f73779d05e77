"""Deep Compression (Han et al., 2016): LeNet-300-100 and LeNet-5 with pruning, weight sharing and
entropy coding.

Run `python -m benchmarks.deep_compression --data FOLDER` with a folder of MNIST's files, or of
others in their format.
"""

import argparse
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from compressors.quantization import Quantization
from compressors.schedules import cubic
from compressors.sharing import Sharing
from compressors.sparsity import WeightPruning, sparsities
from nas.compress import compress
from nas.data import Task, hold_out, read_mnist
from nas.layers import named_layers
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.program import score
from nas.seeds import generator, seeded
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe

CALIBRATION_SAMPLES = 512


@dataclass(frozen=True)
class Case:
    """A network, and the sparsity, codebook size and bit-width of its layers."""

    network: nn.Module
    design: Mapping[str, Hashable]


def lenet_300_100() -> Case:
    """Two hidden layers of 300 and 100 units (LeCun et al., 1998), 266,610 parameters."""
    layers = [
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(784, 300)),
        ("relu1", nn.ReLU()),
        ("fc2", nn.Linear(300, 100)),
    ]
    network = nn.Sequential()
    for name, module in (*layers, ("relu2", nn.ReLU()), ("fc3", nn.Linear(100, 10))):
        network.add_module(name, module)
    return Case(
        network,
        {
            "fc1.sparsity": 0.94,
            "fc2.sparsity": 0.92,
            "fc3.sparsity": 0.74,
            "codebook_size": 16,
            "bits": 8,
        },
    )


def lenet_5() -> Case:
    """Two convolutions with pooling and two linear layers, as in Caffe, 431,080 parameters."""
    network = nn.Sequential()
    for number, channels in ((1, (1, 20)), (2, (20, 50))):
        network.add_module(f"conv{number}", nn.Conv2d(*channels, 5))
        network.add_module(f"pool{number}", nn.MaxPool2d(2))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc1", nn.Linear(800, 500))
    network.add_module("relu", nn.ReLU())
    network.add_module("fc2", nn.Linear(500, 10))
    sparsity = {
        "conv1.sparsity": 0.34,
        "conv2.sparsity": 0.88,
        "fc1.sparsity": 0.92,
        "fc2.sparsity": 0.81,
    }
    return Case(
        network,
        {
            **sparsity,
            "codebook_size": 16,
            "conv1.codebook_size": 64,
            "conv2.codebook_size": 64,
            "bits": 8,
        },
    )


CASES = {"lenet-300-100": lenet_300_100, "lenet-5": lenet_5}


@dataclass(frozen=True)
class Outcome:
    """The result of a compression.

    Args:
        dense: test accuracy of the network before compression, 0 to 1
        compressed: test accuracy of the packed file
        packed: the file
        weight_bytes: size of the parameters in 32-bit floats
        left: the share of weights that are not 0
    """

    dense: float
    compressed: float
    packed: bytes
    weight_bytes: int
    left: float

    @property
    def times(self) -> float:
        """How many times smaller the file is than the weights in 32-bit floats."""
        return self.weight_bytes / len(self.packed)


def deep_compression(
    case: Case, task: Task, recipe: Recipe, prune_epochs: int, share_epochs: int, seed: int
) -> Outcome:
    """Trains a network, prunes it gradually in further training, shares the remaining weights and
    fine-tunes.
    """
    shuffle = torch.Generator().manual_seed(seed)
    calibration = task.train.inputs[:CALIBRATION_SAMPLES]
    model = case.network
    fit(
        model,
        task,
        recipe,
        epochs=recipe.epochs,
        lr=recipe.lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    dense = accuracy(model, task.test)
    weight_bytes = 4 * sum(parameter.numel() for parameter in model.parameters())
    model = compress(model, case.design, [WeightPruning(schedule=cubic)], calibration)
    fit(
        model,
        task,
        recipe,
        epochs=prune_epochs,
        lr=recipe.finetune_lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    sizes = {name: layer.weight.numel() for name, layer in named_layers(model).items()}
    left = sum((1.0 - share) * sizes[name] for name, share in sparsities(model).items()) / sum(
        sizes.values()
    )
    model = compress(model, case.design, [Sharing(), Quantization()], calibration)
    fit(
        model,
        task,
        recipe,
        epochs=share_epochs,
        lr=recipe.finetune_lr / 4,
        loss=cross_entropy,
        generator=shuffle,
    )
    packed = pack(lower(snapped(model), calibration))
    return Outcome(dense, score(unpack(packed), task.test), packed, weight_bytes, left)


def main() -> None:
    """Prints errors and bytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder of MNIST's four files, or of others in their format",
    )
    parser.add_argument("--network", choices=tuple(CASES), default="lenet-300-100")
    parser.add_argument("--samples", type=int, help="number of training images; all by default")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the dense network")
    parser.add_argument("--prune-epochs", type=int, default=10)
    parser.add_argument("--share-epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the packed file")
    options = parser.parse_args()
    start = time.perf_counter()
    train, test = read_mnist(options.data)
    task = hold_out(options.data.name, train, test, 10, generator(0, "split"), validation=0.05)
    task = task.first(options.samples)
    with seeded(options.seed):
        case = CASES[options.network]()
    recipe = Recipe(
        epochs=options.epochs, finetune_epochs=0, batch_size=128, lr=2e-3, finetune_lr=2e-3
    )
    found = deep_compression(
        case, task, recipe, options.prune_epochs, options.share_epochs, options.seed
    )
    if options.out is not None:
        options.out.write_bytes(found.packed)
    print(
        f"{options.network} on {options.data.name}: error {100 * (1 - found.dense):.2f} %, {found.weight_bytes:,} bytes of floats"
    )
    print(
        f"compressed: error {100 * (1 - found.compressed):.2f} %, {len(found.packed):,} bytes, {found.times:.1f} times smaller"
    )
    print(
        f"{100 * found.left:.1f} % of the weights are left; {time.perf_counter() - start:.0f} s in all"
    )


if __name__ == "__main__":
    main()
