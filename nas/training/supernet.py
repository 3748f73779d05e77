"""Weights for all networks of a space, trained together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from nas.data import Task
from nas.training.fit import Loss, cross_entropy, fit
from nas.training.losses import loss_by
from nas.training.recipe import MOST, Recipe
from nas.training.shared_weights import SharedWeights, gathered


@dataclass(frozen=True, kw_only=True)
class Supernet:
    """Weights that the candidates of a search start from, trained once before it, and how.

    They are those of `designs` networks, drawn at random within the budget, or as close to it as chance
    comes, because weights of networks that are too large help none that fits. They are trained for
    `epochs` on the training samples of the search, by its recipe but with the peak learning rate `lr`
    (None: that of the recipe). Each step trains `networks` of them on one batch: the largest by labels,
    and by its answers the smallest and others that are drawn (the sandwich rule and in-place
    distillation, Yu & Huang, 2019).

    Raises:
        ValueError: if `epochs` is below 1, `networks` below 3, `designs` below `networks`, or `lr` not
            positive and finite.
    """

    epochs: int = 10
    lr: float | None = None
    networks: int = 4
    designs: int = 64

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"a supernet must have at least 1 epoch, but got {self.epochs}")
        if not 3 <= self.networks <= self.designs:
            raise ValueError(
                "each step of a supernet must train 3 networks or more, and no more than there are designs, but got "
                f"{self.networks} of {self.designs}"
            )
        if self.lr is not None and not 0 < self.lr <= MOST:
            raise ValueError(
                f"the learning rate of a supernet must be positive and finite, but got {self.lr}; None is the recipe's"
            )


def train_supernet(
    supernet: Supernet, networks: Sequence[nn.Module], task: Task, recipe: Recipe, seed: int
) -> SharedWeights:
    """The weights that networks have in common, trained on the training split of `task`, where that is.

    The networks keep theirs, but their batch normalization has no running statistics then. `seed`
    shuffles the samples and draws what is trained in a step.

    Raises:
        ValueError: if there are no networks, or the images cannot be augmented as the recipe says.
        DivergedError: if the loss of an epoch is not finite.
    """
    if not networks:
        raise ValueError("a supernet must have networks, but got none")
    sandwich = _Sandwich(networks, supernet.networks, torch.Generator().manual_seed(seed))
    fit(
        sandwich,
        task,
        replace(recipe, validate_every=supernet.epochs),
        epochs=supernet.epochs,
        lr=recipe.lr if supernet.lr is None else supernet.lr,
        loss=_taught_by_the_first(loss_by(recipe, task, cross_entropy)),
        generator=torch.Generator().manual_seed(seed),
        captured=False,  # a recorded step would train the same networks each time
    )
    return sandwich.weights()


class _Sandwich(nn.Module):
    """Networks with common weights; only these are its parameters."""

    def __init__(
        self, networks: Sequence[nn.Module], count: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        by_size = sorted(networks, key=_size)
        # The largest last, so that most weights are as they were initialized together.
        whole = gathered(by_size).tensors
        self._networks = tuple(by_size)  # not modules of this one: their own weights are not used
        self._count, self._generator = min(count, len(by_size)), generator
        self._keys = [*whole]
        self._tensors = nn.ParameterList(whole.values())
        for network in by_size:
            _without_running_statistics(network)

    def forward(self, images: Tensor) -> Tensor:
        """The logits of the largest network, [N, classes]; in training those of each that is trained,
        [networks, N, classes], the largest first.
        """
        smallest, others, largest = self._networks[0], self._networks[1:-1], self._networks[-1]
        if not self.training:
            return self._logits(largest, images)
        drawn = torch.randperm(len(others), generator=self._generator)[: max(0, self._count - 2)]
        trained = dict.fromkeys((largest, smallest, *(others[index] for index in drawn.tolist())))
        return torch.stack([self._logits(network, images) for network in trained])

    def _logits(self, network: nn.Module, images: Tensor) -> Tensor:
        network.to(images.device)
        shared = SharedWeights(dict(zip(self._keys, self._tensors, strict=True)))
        parts = {name: part.contiguous() for name, part in shared.parts(network).items()}
        logits: Tensor = functional_call(network, parts, (images.clone(),))
        return logits

    def weights(self) -> SharedWeights:
        """Copies of the weights."""
        values = (
            tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in self._tensors
        )
        return SharedWeights(dict(zip(self._keys, values, strict=True)))


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _without_running_statistics(network: nn.Module) -> None:
    """Has batch normalization use the statistics of each batch: those of other networks differ."""
    network.train()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None


def _taught_by_the_first(loss: Loss) -> Loss:
    """The mean of the loss of the first network and the cross-entropies of the others with its answers."""

    def mean_loss(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        if logits.ndim == 2:
            return loss(logits, labels, index)
        first, *others = logits
        answers = torch.softmax(first.detach(), 1)
        taught = [nn.functional.cross_entropy(each, answers) for each in others]
        return torch.stack([loss(first, labels, index), *taught]).mean()

    return mean_loss
