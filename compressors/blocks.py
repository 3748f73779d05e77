"""Depth pruning: whole blocks leave the network."""

import copy
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class BlockPruning:
    """Puts the identity in the place of each block, or layer, whose option is True.

    What a block gives must have the shape of what it is given, as residual blocks do. Choices
    inside of a block must hang on its own by their `when`: what is not there cannot be compressed.
    """

    kind: str = "drop"

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The network without the blocks.

        Raises:
            ValueError: if an option is not True or False, a site names no module below the network,
                or a block cannot be the identity: its input is not one tensor, its output has
                another shape, or nothing calls it.
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
        for name, module in modules.items():
            outside = not any(name.startswith(f"{site}.") for site in dropped.values())
            if module in dropped and outside:
                model.set_submodule(name, nn.Identity())
        return model


def drop_blocks(model: nn.Module, sites: Sequence[str], example: Tensor) -> nn.Module:
    """A copy of `model` with the identity at each site.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2))
    >>> drop_blocks(model, ["1"], torch.rand(3, 4))[1]
    Identity()

    Raises:
        ValueError: as BlockPruning does.
    """
    return BlockPruning().apply(copy.deepcopy(model), dict.fromkeys(sites, True), example)


def droppable(model: nn.Module, example: Tensor) -> list[str]:
    """The names of the blocks that can be dropped: modules with layers, of a class of their own,
    that keep the shape of a tensor.

    Of blocks inside of each other only the outer one is listed.

    >>> block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    >>> droppable(nn.Sequential(nn.Linear(4, 8), block, nn.Linear(8, 2)), torch.rand(3, 4))
    []
    """
    found = list[str]()
    for name, block in model.named_modules():
        inside = not name or any(name.startswith(f"{outer}.") for outer in found)
        if (
            inside
            or isinstance(block, (nn.Sequential, nn.ModuleList, nn.ModuleDict))
            or not _has_layers(block)
        ):
            continue
        with suppress(ValueError):
            _check_shapes(model, {block: name}, example)
            found.append(name)
    return found


def _has_layers(block: nn.Module) -> bool:
    return any(
        isinstance(module, (nn.Conv2d, nn.Linear))
        for module in block.modules()
        if module is not block
    )


def _check_shapes(model: nn.Module, dropped: Mapping[nn.Module, str], example: Tensor) -> None:
    called = set[nn.Module]()

    def check(block: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        called.add(block)
        shapes = [
            list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            for value in (*inputs, output)
        ]
        if len(shapes) != 2 or not isinstance(output, Tensor) or shapes[0] != shapes[1]:
            given, made = " and ".join(map(str, shapes[:-1])), shapes[-1]
            raise ValueError(
                f"a block must give the shape that it is given to be dropped, but {dropped[block]!r} makes {made} of {given}"
            )

    hooks = [block.register_forward_hook(check) for block in dropped]
    try:
        with torch.no_grad():
            model.eval()(example[:2])
    finally:
        for hook in hooks:
            hook.remove()
    if unused := [site for block, site in dropped.items() if block not in called]:
        raise ValueError(
            f"a block must take part in the network to be dropped, but {unused} do not"
        )
