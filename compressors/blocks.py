"""Depth pruning: whole blocks are removed from a network."""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nas.layers import forward_hooks, named_layers, replace_modules
from nas.tracing import independent_copy

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class BlockPruning:
    """Replaces each block or layer whose option is True by the identity.

    The output of such a block must have the shape of its input, as in residual blocks. Choices at
    modules inside a block need a `when` on its being kept, because a module that was removed cannot
    be compressed.

    Args:
        kind: the kind of choices that is applied
    """

    kind: str = "drop"

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The network without the blocks.

        Raises:
            ValueError: if an option is not True or False, a site is not a module inside the
                network, or a block cannot be replaced by the identity: its input is not one tensor,
                its output has another shape, or the forward pass does not call it.
        """
        modules = dict(model.named_modules(remove_duplicate=False))
        for site, option in settings.items():
            if not isinstance(option, bool):
                raise ValueError(
                    f"whether a block is dropped must be True or False, but got {option!r} at {site!r}"
                )
            if not site or site not in modules:
                known = [name for name in modules if name]
                raise ValueError(
                    f"a block must be a module of the network, one of {known}, but got {site!r}"
                )
        dropped = {modules[site]: site for site, option in settings.items() if option}
        _check_shapes(model, dropped, example)
        return replace_modules(model, {block: nn.Identity() for block in dropped})


def drop_blocks(model: nn.Module, sites: Sequence[str], example: Tensor) -> nn.Module:
    """A copy of `model` with the identity at each site.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2))
    >>> drop_blocks(model, ["1"], torch.rand(3, 4))[1]
    Identity()

    Raises:
        ValueError: as BlockPruning does.
    """
    return BlockPruning().apply(independent_copy(model), dict.fromkeys(sites, True), example)


def droppable(model: nn.Module, example: Tensor) -> list[str]:
    """The names of the blocks that can be dropped: modules with layers that keep the shape of their
    input and are not mere containers (`Sequential`, `ModuleList`, `ModuleDict`).

    Of nested blocks only the outer one is listed.

    >>> block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    >>> droppable(nn.Sequential(nn.Linear(4, 8), block, nn.Linear(8, 2)), torch.rand(3, 4))
    []
    """
    found = list[str]()
    for name, block in model.named_modules():
        nested = not name or any(name.startswith(f"{outer}.") for outer in found)
        holds_layers = bool(named_layers(block).keys() - {""})
        if nested or isinstance(block, _CONTAINERS) or not holds_layers:
            continue
        with suppress(ValueError):
            _check_shapes(model, {block: name}, example)
            found.append(name)
    return found


def _check_shapes(model: nn.Module, dropped: Mapping[nn.Module, str], example: Tensor) -> None:
    """Refuses blocks that the identity cannot replace."""
    called = set[nn.Module]()
    check = partial(_check_shape, dropped, called)
    with forward_hooks((block, check) for block in dropped), torch.no_grad():
        model.eval()(example[:2].clone())
    if unused := [site for block, site in dropped.items() if block not in called]:
        raise ValueError(
            f"a block must be called in the forward pass to be dropped, but {unused} are not"
        )


def _check_shape(
    dropped: Mapping[nn.Module, str],
    called: set[nn.Module],
    block: nn.Module,
    inputs: tuple[object, ...],
    output: object,
) -> None:
    called.add(block)
    *given, made = (
        list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        for value in (*inputs, output)
    )
    if given != [made] or not isinstance(output, Tensor):
        read = " and ".join(map(str, given))
        raise ValueError(
            f"the output of a dropped block must have the shape of its one input, but {dropped[block]!r} "
            f"makes {made} of {read}"
        )
