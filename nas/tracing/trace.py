"""Networks as graphs of their layers, in a normal form."""

import inspect
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from nas.tracing.arguments import place_arguments
from nas.tracing.in_place import without_in_place
from nas.tracing.lengths import traced_lengths
from nas.tracing.own_layers import check_plain, is_plain
from nas.tracing.rewriting import rewriting, without_dead_code
from nas.tracing.same_outputs import check_same_outputs, evaluating
from nas.tracing.transposed import Spread
from nas.tracing.unsupported import UnsupportedError

_Norm = nn.modules.batchnorm._BatchNorm
_WITH_WEIGHTS = (nn.modules.conv._ConvNd, nn.Linear, _Norm)


def trace(
    model: nn.Module, example: Tensor | None = None, leaves: tuple[type[nn.Module], ...] = ()
) -> fx.GraphModule:
    """`model` traced by torch.fx in evaluation mode, down to the layers of torch and those of the
    classes `leaves`; it shares modules with `model`, which is left in its mode.

    The graph has a normal form: its one input is the first argument of the network, whose other
    arguments have their defaults; tensors are positional arguments; no operation changes a tensor
    that it reads; everything contributes to the output. Where `example` is given, a batch [N, …],
    the outputs are compared with the network's.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, it does not return one tensor, is not
            in float32, has a layer that computes something else than torch's class of it, or the
            graph does not say what the network says.
    """
    _check_precision(model)
    tracer = _Tracer(leaves)
    try:
        with evaluating(model), traced_lengths(model):
            graph = tracer.trace(model)
    except UnsupportedError:
        raise
    except Exception as error:
        raise UnsupportedError(
            f"a network must be traceable by torch.fx, without branches on values, but: {error}"
        ) from error
    _check_output(graph)
    traced = fx.GraphModule(model, graph, type(model).__name__)
    with rewriting(traced):
        place_arguments(traced)
        without_in_place(traced)
        without_dead_code(traced)
    if example is not None:
        check_same_outputs(model, traced, example, "traced by torch.fx")
    return traced


class _Value(fx.Proxy):
    """A value of a traced network, of which `+=` and its like are known to change it."""

    def __len__(self) -> int:
        count = _parts(self.node)
        return super().__len__() if count is None else count

    def __iadd__(self, other: Any) -> Any:
        return self._changed_by("iadd", other)

    def __isub__(self, other: Any) -> Any:
        return self._changed_by("isub", other)

    def __imul__(self, other: Any) -> Any:
        return self._changed_by("imul", other)

    def __itruediv__(self, other: Any) -> Any:
        return self._changed_by("itruediv", other)

    def _changed_by(self, name: str, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", getattr(operator, name), (self, other), {})


class _Tracer(fx.Tracer):
    def __init__(self, leaves: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.leaves = leaves

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Value(node, self)

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        """The parts of a tensor that is cut into a given number, as in `list(x.chunk(2, 1))`."""
        if (count := _parts(obj.node)) is None:
            return super().iter(obj)
        return iter([operator.getitem(obj, part) for part in range(count)])

    def create_args_for_root(
        self,
        root_fn: Callable[..., Any],
        is_module: bool,  # noqa: ARG002 - torch's signature
        concrete_args: dict[str, Any] | tuple[Any, ...] | None = None,  # noqa: ARG002
    ) -> tuple[Callable[..., Any], list[Any]]:
        """The network with its one input; other arguments have their defaults."""
        parameters = list(inspect.signature(root_fn).parameters.values())[1:]
        required = [
            parameter
            for parameter in parameters
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if len(required) > 1:
            raise UnsupportedError(
                f"a network must take one tensor, but forward takes {[parameter.name for parameter in required]}; wrap it in a "
                "module that takes one"
            )
        if not parameters:
            raise UnsupportedError("a network must take a tensor, but forward takes none")
        taken = (required or parameters)[0]
        proxy = self.create_proxy("placeholder", taken.name, (), {})
        if taken is parameters[0] and taken.kind is not taken.KEYWORD_ONLY:
            return root_fn, [self.root, proxy]
        return (lambda root: root_fn(root, **{taken.name: proxy})), [self.root]

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """As torch's, but without notes of where in the network a node is."""
        name = self.path_of_module(m)
        if self.is_leaf_module(m, name):
            return self.create_proxy("call_module", name, args, kwargs)
        return forward(*args, **kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is a layer of the graph: one of torch's that computes what torch says."""
        if isinstance(m, (Spread, *self.leaves)):
            return True
        if isinstance(m, _WITH_WEIGHTS):
            check_plain(m, module_qualified_name)
        if isinstance(m, _Norm) and m.running_mean is None:
            raise UnsupportedError(
                "normalization must have running statistics, or its outputs depend on the other samples of a batch, but "
                f"{module_qualified_name!r} has track_running_stats=False"
            )
        return is_plain(m) and not isinstance(m, nn.Sequential)


def _parts(node: fx.Node) -> int | None:
    """Into how many parts a node cuts a tensor; None if that does not follow from its arguments."""
    name = getattr(node.target, "__name__", node.target)
    given = node.args[1] if len(node.args) > 1 else None
    if name in ("chunk", "tensor_split") and isinstance(given, int):
        return given
    return len(given) if name == "split" and isinstance(given, (list, tuple)) else None


def _check_precision(model: nn.Module) -> None:
    tensors = [*model.named_parameters(), *model.named_buffers()]
    for name, tensor in tensors:
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise UnsupportedError(
                f"a network must be in float32, but {name!r} is in {str(tensor.dtype).removeprefix('torch.')}; call float() of "
                "the network first"
            )


def _check_output(graph: fx.Graph) -> None:
    (found,) = (node.args[0] for node in graph.nodes if node.op == "output")
    if not isinstance(found, fx.Node):
        kind = type(found).__name__.removeprefix("immutable_")
        raise UnsupportedError(
            f"a network must return one tensor, the logits, but returns a {kind}; wrap it in a module that returns the logits"
        )
    if found.op == "placeholder":
        raise UnsupportedError("a network must compute something, but it returns its input")
