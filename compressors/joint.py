"""Joint compression: all compressors together, and choices for them in any trained network."""

from collections.abc import Hashable, Sequence

from torch import Tensor, nn

from compressors.activation_bits import result_groups
from compressors.blocks import BlockPruning, droppable
from compressors.low_rank import LowRank, factorizable
from compressors.pruning import prunable
from compressors.quantization import Quantization
from compressors.reconstruction_pruning import ReconstructionPruning
from compressors.sharing import Sharing, shareable
from compressors.sparsity import WeightPruning
from nas import grids
from nas.compress import Compressor
from nas.layers import named_layers
from nas.space import Choice, Choices
from nas.tracing import independent_copy

JOINT_COMPRESSORS: tuple[Compressor, ...] = (
    BlockPruning(),
    ReconstructionPruning(),
    LowRank(),
    WeightPruning(),
    Sharing(),
    Quantization(),
)
"""The compressors of `joint_choices`, in the order in which they are applied."""

PRUNING_RATIOS = grids.uniform(0.0, 0.75, 4)
BIT_WIDTHS: tuple[int, ...] = (1, 2, 3, 4, 8)

# Binary weights can be neither 0 nor shared, and at few bits the other methods have nothing left
# to save: for each kind its options, and the bit-widths at which a layer has the choice.
_AT_BIT_WIDTHS: tuple[tuple[str, tuple[Hashable, ...], frozenset[Hashable]], ...] = (
    ("sparsity", (0.0, 0.5), frozenset({3, 4})),
    ("rank", (1.0, 0.25), frozenset({4, 8})),
    ("codebook_size", (0, 16), frozenset({8})),
)
_SMALLEST_RANK, _SMALLEST_CODEBOOK = 0.25, 16


def joint_choices(
    model: nn.Module,
    example: Tensor,
    *,
    ratios: Sequence[float] = PRUNING_RATIOS,
    bits: Sequence[int] = BIT_WIDTHS,
    activation_bits: Sequence[int] = (),
) -> Choices:
    """The choices of a joint compression of `model`, for `JOINT_COMPRESSORS` to apply.

    Whether each droppable block is dropped, a pruning ratio for each group of tied channels, a
    bit-width for each layer, and at some bit-widths also a sparsity, a rank and a codebook size.
    The choices inside a block depend on its being kept. Layers with less than half the mean number
    of weights have a bit-width alone, as do those that factors or a codebook would not make
    smaller.

    `example` is a batch of inputs, [N, …]; `ratios` are the pruning ratios and `bits` the bit-widths
    to choose from. With `activation_bits`, from which the bits of tensors are chosen, there is also
    one choice for the results of a layer, or of all layers that a sum or a concatenation joins; it
    needs `ActivationBits()` behind `JOINT_COMPRESSORS`. The input and the output have no choice.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    >>> [choice.name for choice in joint_choices(model, torch.rand(2, 64))]
    ['0.prune', '0.bits', '0.sparsity', '0.rank', '0.codebook_size', '2.bits']
    """
    model = independent_copy(model)
    blocks = droppable(model, example)

    def kept(site: str) -> tuple[str, frozenset[Hashable]] | None:
        outer = (block for block in blocks if site.startswith(f"{block}."))
        return next(((f"{block}.drop", frozenset({False})) for block in outer), None)

    choices = [Choice(block, "drop", (False, True)) for block in blocks]
    choices += [
        Choice(group[0], "prune", tuple(ratios), kept(group[0]))
        for group in prunable(model, example)
    ]
    sizes = {name: layer.weight.numel() for name, layer in named_layers(model).items()}
    suitable = set(factorizable(model, _SMALLEST_RANK)) & set(shareable(model, _SMALLEST_CODEBOOK))
    for layer, size in sizes.items():
        choices.append(Choice(layer, "bits", tuple(bits), kept(layer)))
        if layer in suitable and 2 * size * len(sizes) >= sum(sizes.values()):
            choices += [
                Choice(layer, kind, options, (f"{layer}.bits", bit_widths & set(bits)))
                for kind, options, bit_widths in _AT_BIT_WIDTHS
                if bit_widths & set(bits)
            ]
    if activation_bits:
        choices += [
            Choice(group[0], "activation_bits", tuple(activation_bits), kept(group[0]))
            for group in result_groups(model)
        ]
    return Choices(choices)
