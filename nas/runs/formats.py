"""The formats of files to ship, each of one candidate; `nas.runs.run_formats` has those of a run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas import durable
from nas.objective import Evaluation
from nas.packed import unpack
from nas.runs.journal_format import evaluation_to_json

# Imports that are slow are made where they are needed: the help of the command line reads FORMATS.
if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class ExportedCandidate:
    """A trained candidate: its evaluation, the bytes of its packed file, its weights by name, and the
    network that they are of, where an experiment built it.
    """

    evaluation: Evaluation
    packed: bytes
    weights: Mapping[str, NDArray[Any]]
    model: "nn.Module | None" = None


@dataclass(frozen=True)
class ExportFormat:
    """A format of exported files: a phrase for the help text, what writes a candidate to a path, and
    the logits that the written file gives for inputs, float32 [N, classes].

    `said` is None, or returns None, where the file alone does not make a network.
    """

    help: str
    write: Callable[[ExportedCandidate, Path], None]
    said: "Callable[[ExportedCandidate, Path, Tensor], NDArray[np.float32] | None] | None" = None


def _write_packed(candidate: ExportedCandidate, target: Path) -> None:
    durable.write(target, candidate.packed)


def _said_by_packed(_: ExportedCandidate, target: Path, inputs: "Tensor") -> NDArray[np.float32]:
    from nas.program import logits

    return logits(unpack(target.read_bytes()), inputs)


def _write_onnx(candidate: ExportedCandidate, target: Path) -> None:
    _write_model(candidate, target, fused=False)


def _write_fused_onnx(candidate: ExportedCandidate, target: Path) -> None:
    _write_model(candidate, target, fused=True)


def _write_model(candidate: ExportedCandidate, target: Path, fused: bool) -> None:
    from nas.onnx import to_onnx

    model = to_onnx(unpack(candidate.packed), fused=fused)
    durable.write(target, model.SerializeToString())


def _said_by_onnx(_: ExportedCandidate, target: Path, inputs: "Tensor") -> NDArray[np.float32]:
    """What ONNX Runtime says with its default options."""
    import onnx

    from nas.measure.host import run_onnx

    return run_onnx(onnx.load(target), inputs.numpy(), saturate=True)


def _write_torch(candidate: ExportedCandidate, target: Path) -> None:
    """Weights as safetensors, and the design and the metrics as JSON beside them."""
    from safetensors.numpy import save

    durable.write(target, save(dict(candidate.weights)))
    evaluation = evaluation_to_json(candidate.evaluation)
    description = {name: evaluation[name] for name in ("design", "genotype", "metrics")}
    beside = target.with_name(target.name + ".json")
    durable.write(beside, json.dumps(description, indent=2).encode())


def _said_by_torch(
    candidate: ExportedCandidate, target: Path, inputs: "Tensor"
) -> NDArray[np.float32] | None:
    if candidate.model is None:
        return None
    from safetensors.torch import load_file

    from nas.training.fit import logits

    candidate.model.load_state_dict(load_file(target))
    return logits(candidate.model.eval(), inputs).numpy()


FORMATS: Mapping[str, ExportFormat] = {
    "packed": ExportFormat("the packed file", _write_packed, _said_by_packed),
    "onnx": ExportFormat("the same program as ONNX", _write_onnx, _said_by_onnx),
    "onnx-fused": ExportFormat(
        "the program for integer kernels, which round otherwise", _write_fused_onnx, _said_by_onnx
    ),
    "torch": ExportFormat(
        "weights as safetensors, and the design and the metrics in FILE.json",
        _write_torch,
        _said_by_torch,
    ),
}
"""All formats, by their name on the command line; the first is the default."""
