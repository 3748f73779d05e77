"""Insertion of activation quantizers, exactly where the integer program has integers."""

from collections.abc import Iterator, Mapping

from torch import Tensor, fx, nn

from nas.quantize.activation_quantizers import FusedReLU
from nas.quantize.constants import ChannelAffine
from nas.quantize.functional_forms import with_modules, without_last_softmax
from nas.quantize.integer_layer import IntegerLayer
from nas.quantize.learned_quantizers import ActivationMethod, activation_quantizer
from nas.quantize.positive_norm import PositiveNorm
from nas.quantize.rearrangements import is_size
from nas.quantize.roles import Role, role
from nas.quantize.select import Select
from nas.tracing import UnsupportedError, module_at, outputs, trace
from nas.tracing.same_outputs import ROWS, check_same

# Our own modules that a trace must not enter, as it does not enter those of torch.
_LEAVES = (ChannelAffine, IntegerLayer, PositiveNorm, Select)
_RESULTS = (
    *(Role.LAYER, Role.NORM, Role.AFFINE),
    *(Role.SUM, Role.PRODUCT, Role.CONCAT, Role.MEAN, Role.UNARY),
)


def traced_network(model: nn.Module, example: Tensor | None = None) -> fx.GraphModule:
    """`model` traced as `nas.tracing.trace` does, down to its layers, quantized ones included; it
    shares modules with `model`. Functions are modules where there is such a one, and a softmax at the
    end is left out.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, it has no normal form, or a function is
            called in a way that has no integer form; on `example`, a batch [N, …], also if what was
            traced says something else.
    """
    traced = trace(model, None, _LEAVES)
    with_modules(traced, example)
    if example is not None:
        wanted = outputs(model, example[:ROWS])
        try:
            check_same(wanted, model, traced, example, "traced by torch.fx")
        except RuntimeError as error:
            raise UnsupportedError(
                f"a network must run on its inputs with modules for functions, but: {error}"
            ) from error
    without_last_softmax(traced)
    return traced


def insert_quantizers(
    model: nn.Module,
    bits: int,
    activations: ActivationMethod = "widest",
    *,
    example: Tensor | None = None,
) -> fx.GraphModule:
    """`model` traced, with an `ActivationQuantizer` of `bits` bits behind its input and each
    result: a layer with what is fused into it, a sum, a mean, …

    The result shares modules with `model`, under the same names. Quantizers are in its module
    `ranges`, named after the node that they follow; `activations` is how they change in training. On `example`, a
    batch [N, …], the trace is compared with the network.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    return quantizers_inserted(traced_network(model, example), bits, activations)


def quantizers_inserted(
    traced: fx.GraphModule, bits: int, activations: ActivationMethod
) -> fx.GraphModule:
    """`insert_quantizers` for what `traced_network` gave, which is changed in place.

    Raises:
        UnsupportedError: if an operation has no integer form.
    """
    fused = dict(_fused(traced))
    names = _quantizer_names(fused, traced)
    rectified = _rectified(names, traced)
    quantizers = {
        name: activation_quantizer(bits, activations, rectified=name in rectified)
        for name in names.values()
    }
    traced.add_module("ranges", nn.ModuleDict(quantizers))
    for end, name in names.items():
        if name in rectified:
            traced.set_submodule(str(end.target), FusedReLU())
        with traced.graph.inserting_after(end):
            quantized = traced.graph.create_node("call_module", f"ranges.{name}", (end,))
        for user in [user for user in end.users if user is not quantized]:
            user.replace_input_with(end, quantized)
    traced.recompile()
    return traced


def _fused(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, fx.Node]]:
    """The last and the first node of each group of operations that is one operation of the
    program.
    """
    inner = set[fx.Node]()
    for node in traced.graph.nodes:
        found = role(node, traced)
        if node in inner:
            continue
        if node.op == "placeholder" or found in _RESULTS or found is Role.CLAMP:
            end = node
            while (following := _only_user(end)) is not None and role(
                following, traced
            ) in _fusible(end, found, traced):
                end = following
                inner.add(end)
            yield end, node


def _fusible(end: fx.Node, first: Role | None, traced: fx.GraphModule) -> tuple[Role, ...]:
    """What can be fused behind `end`, the last node so far of a group with this first role."""
    if first in (None, Role.UNARY, Role.CLAMP):
        return ()
    return (Role.NORM, Role.CLAMP) if role(end, traced) is Role.LAYER else (Role.CLAMP,)


def _only_user(node: fx.Node) -> fx.Node | None:
    users = [user for user in node.users if not is_size(user)]
    return users[0] if len(users) == 1 and users[0].op != "output" else None


def _quantizer_names(
    fused: Mapping[fx.Node, fx.Node], traced: fx.GraphModule
) -> dict[fx.Node, str]:
    """The name of the quantizer behind each group, by its last node.

    Summands share the quantizer of their sum, and parts that of their concatenation: integers are
    then added or moved without rescaling.
    """
    shared = {end: [end] for end in fused}
    for end, first in fused.items():
        if role(first, traced) in (Role.SUM, Role.CONCAT):
            for source in first.all_input_nodes:
                while role(source, traced) is Role.KEEP:
                    source = source.all_input_nodes[0]
                if source in shared and shared[source] is not shared[end]:
                    shared[source].extend(shared[end])
                    shared.update(dict.fromkeys(shared[end], shared[source]))
    return {end: shared[end][0].name for end in fused}


def _rectified(names: Mapping[fx.Node, str], traced: fx.GraphModule) -> set[str]:
    """The quantizers that can take over the ReLUs before them.

    Each tensor of such a quantizer comes from an nn.ReLU, which is called nowhere else.
    """
    calls = [node for node in traced.graph.nodes if node.op == "call_module"]
    modules = {node: module_at(traced, str(node.target)) for node in calls}
    relus = {node: module for node, module in modules.items() if type(module) is nn.ReLU}
    found = set(names.values()) - {name for end, name in names.items() if end not in relus}
    fused = {node for node in relus if names.get(node) in found}
    kept = {module for node, module in relus.items() if node not in fused}
    return found - {names[node] for node in fused if relus[node] in kept}
