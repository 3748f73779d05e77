"""Weights that networks of a space have in common, by the names of their parameters."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

Place = tuple[slice, ...]


class _Shared(NamedTuple):
    """A parameter of a network, and the key by which others have the same."""

    name: str
    parameter: nn.Parameter
    key: str
    is_kernel: bool


@dataclass(frozen=True, eq=False)
class SharedWeights:
    """Tensors of which each network of a space has the part that is as large as its own.

    The part begins at the first channel in every dimension, so that the first channels of a layer are
    in the most networks (slimmable networks, Yu et al., 2019); smaller kernels are the middle of
    larger ones (once-for-all networks, Cai et al., 2020). Parameters are the same where their names are
    (ENAS, Pham et al., 2018), and what they mean: of layers of the same kind, depthwise or not, in
    containers of layers of the same kinds. So the first layer of an inverted block is none of a plain
    one, and networks whose layers all lie in one container share them at the same depth only. Buffers,
    such as the statistics of batch normalization, are not shared.

    Args:
        tensors: the values by key, which says name and kinds; float32, on the processor
    """

    tensors: Mapping[str, Tensor]

    def parts(self, model: nn.Module) -> dict[str, Tensor]:
        """The part of each parameter of a network that is here, by its name: as large as the
        parameter, or less where the tensor is smaller. They are views.
        """
        found = dict[str, Tensor]()
        for name, parameter, key, is_kernel in _shared(model):
            whole = self.tensors.get(key)
            if whole is not None and whole.ndim == parameter.ndim:
                found[name] = whole[_common(whole.shape, parameter.shape, is_kernel)]
        return found

    def give(self, model: nn.Module) -> None:
        """Sets the parameters of a network in place to copies of their parts. What is not here stays as
        it was initialized.
        """
        parts = self.parts(model)
        with torch.no_grad():
            for name, parameter, _, is_kernel in _shared(model):
                if (part := parts.get(name)) is not None:
                    parameter[_common(parameter.shape, part.shape, is_kernel)].copy_(part)


def gathered(networks: Iterable[nn.Module]) -> SharedWeights:
    """The weights of networks, each tensor as large as the largest in every dimension.

    Where several networks have a weight, it is that of the last one; where none has, it is 0.
    """
    tensors = dict[str, Tensor]()
    for network in networks:
        for _, parameter, key, is_kernel in _shared(network):
            known = tensors.setdefault(key, torch.zeros_like(parameter))
            if known.ndim != parameter.ndim:
                continue
            shape = [*map(max, known.shape, parameter.shape)]
            whole = tensors[key] = parameter.new_zeros(shape)
            for each in (known, parameter.detach()):
                whole[_common(whole.shape, each.shape, is_kernel)] = each
    return SharedWeights(tensors)


def _common(whole: Iterable[int], other: Iterable[int], is_kernel: bool) -> Place:
    """Where a tensor has what it has in common with another one."""
    place = list[slice]()
    for dimension, (size, length) in enumerate(zip(whole, other, strict=True)):
        least = min(size, length)
        # Convolutions keep the size of maps by as many pixels of padding: their middles coincide.
        start = size // 2 - least // 2 if is_kernel and dimension >= 2 else 0
        place.append(slice(start, start + least))
    return tuple(place)


def _shared(model: nn.Module) -> Iterator[_Shared]:
    modules, seen = dict(model.named_modules()), set[nn.Parameter]()
    for path, module in modules.items():
        around = modules[path.rpartition(".")[0]]
        kinds = f"{_kind(module)} in {_kind(around)}({', '.join(map(_kind, around.children()))})"
        for name, parameter in module.named_parameters(prefix=path, recurse=False):
            if parameter not in seen:  # what two layers have in common has one name
                seen.add(parameter)
                yield _Shared(name, parameter, f"{name} of {kinds}", isinstance(module, _ConvNd))


def _kind(module: nn.Module) -> str:
    name = type(module).__name__
    if not isinstance(module, _ConvNd):
        return name
    dilated = "" if set(module.dilation) == {1} else f" dilated by {module.dilation}"
    if module.groups == 1:
        return name + dilated
    depthwise = module.groups == module.in_channels
    return f"{name} {'depthwise' if depthwise else f'in {module.groups} groups'}{dilated}"
