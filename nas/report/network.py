"""The recommended network, layer by layer, and the ledger of its file."""

from nas.packed import ArtifactError
from nas.packed.drawn_layers import DrawnFile, DrawnLayer
from nas.report.chart import Chart
from nas.report.figures import design_text, percent
from nas.report.layers import choices_at, drawn_file
from nas.report.markup import Markup, element
from nas.report.reported_run import ReportedRun
from nas.report.tables import table
from nas.runs.recommended import Network


def network_parts(run: ReportedRun) -> "list[Markup | Chart]":
    """A diagram of the network, and the bytes of its layers as picture and table."""
    network = run.network
    if network is None:
        return [element("p", "No network within the budget was found, so there is none to draw.")]
    try:
        file = drawn_file(network)
    except ArtifactError as error:
        return [element("p", f"The packed file cannot be read: {error}.")]
    if file is None:
        return [element("p", f"The packed file of {network.what} is not in the run directory.")]
    what = element("p", f"This is {network.what}: {file.total:,} bytes.")
    return [what, diagram(network, file), _ledger(file)]


def diagram(network: Network, file: DrawnFile) -> Markup:
    """The layers from input to output, one below the other, each with a bar as long as its bytes."""
    most = max((layer.total for layer in file.layers), default=0) or 1
    boxes = [element("li", element("b", "input"), " ", _shape(file.input))]
    boxes += [
        _box(network, file, index, layer, layer.total / most)
        for index, layer in enumerate(file.layers)
    ]
    return element("ol", *boxes, attributes={"class": "network"})


def _box(network: Network, file: DrawnFile, index: int, layer: DrawnLayer, share: float) -> Markup:
    bits = "" if layer.weight_bits is None else f", weights of {layer.weight_bits} bits"
    facts = f"{layer.channels} channels kept{bits}, activations of {layer.activation_bits} bits, {layer.total:,} bytes"
    chosen = choices_at(network.evaluation, layer.name)
    said = design_text(chosen)
    from_afar = layer.sources != (index,)
    names = ["input" if s == 0 else file.layers[s - 1].name for s in layer.sources]
    return element(
        "li",
        element("b", layer.name),
        " ",
        element("span", layer.operator, attributes={"class": "operator"}),
        " ",
        _shape(layer.result),
        Markup("<br>"),
        facts,
        Markup("<br>") if said or from_afar else "",
        element("small", f"chosen: {said}" if said else "", "; " if said and from_afar else ""),
        element("small", f"reads {' and '.join(names)}") if from_afar else "",
        element("span", attributes={"class": "bar", "style": f"width:{share:.1%}"}),
    )


def _shape(shape: tuple[int, ...]) -> Markup:
    return element("span", "×".join(map(str, shape)), attributes={"class": "shape"})


def _ledger(file: DrawnFile) -> Chart:
    total, bars, rows = file.total, list[object](), list[list[str]]()
    for layer in file.layers:
        bars += [[layer.label, purpose, size] for purpose, size in layer.bytes.items()]
        weights = "–" if layer.weight_bits is None else str(layer.weight_bits)
        purposes = ", ".join(f"{purpose} {size:,}" for purpose, size in layer.bytes.items())
        share = percent(layer.total / total)
        rows.append([layer.label, layer.operator, weights, f"{layer.total:,}", share, purposes])
    rest = sum(file.rest.values())
    bars += [["file", purpose, size] for purpose, size in file.rest.items()]
    purposes = ", ".join(f"{purpose} {size:,}" for purpose, size in file.rest.items())
    rows.append(["file", "", "–", f"{rest:,}", percent(rest / total), purposes])
    rows.append(["in all", "", "–", f"{total:,}", percent(1), ""])
    head = ("layer", "operator", "bits of weights", "bytes", "share", "purposes")
    ledger = table("what the bytes of the file are for", head, rows)
    return Chart("bars", {"bars": bars}, "bytes of each layer, by purpose", ledger)
