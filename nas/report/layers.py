"""The layers of a network that is reported, and what was chosen for each."""

from collections.abc import Hashable

from nas.objective import Evaluation
from nas.packed.drawn_layers import DrawnFile, read_layers
from nas.runs.directory import packed_path, weights_path
from nas.runs.recommended import Network


def drawn_file(network: Network) -> DrawnFile | None:
    """The packed file of a network; None if it is missing.

    Raises:
        ArtifactError: if it is damaged.
    """
    id = network.evaluation.id
    path = packed_path(network.folder, id)
    if not path.is_file():
        return None
    return read_layers(path.read_bytes(), weights_path(network.folder, id))


def choices_at(evaluation: Evaluation, name: str) -> dict[str, Hashable]:
    """The chosen options at the site that is the module `name` or the innermost that contains it."""
    sites = {choice.rpartition(".")[0] for choice in evaluation.design}
    within = [site for site in sites if site and (name == site or name.startswith(f"{site}."))]
    site = max(within, key=len, default=None)
    return {
        choice.rpartition(".")[2]: option
        for choice, option in evaluation.design.items()
        if site is not None and choice.rpartition(".")[0] == site
    }
