"""The formats of files to ship, each of one candidate; `nas.runs.run_formats` has those of a run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas import durable
from nas.objective import Evaluation
from nas.packed import class_names, preprocessing, unpack
from nas.program.rounding import Rounding
from nas.runs.journal_format import evaluation_to_json

# Imports that are slow are made where they are needed: the help of the command line reads FORMATS.
if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.measure.boards import Board


@dataclass(frozen=True)
class ExportedCandidate:
    """A trained candidate: its evaluation, the bytes of its packed file, its weights by name, and the
    network that they are of, where an experiment built it.

    `inputs`, float32 [N, …], are samples on which what is written can be tried, `board` is where it is
    to fit, and `project` what it is to be part of.
    """

    evaluation: Evaluation
    packed: bytes
    weights: Mapping[str, NDArray[Any]]
    model: "nn.Module | None" = None
    inputs: "Tensor | None" = None
    board: "Board | None" = None
    project: str | None = None


@dataclass(frozen=True)
class ExportFormat:
    """A format of exported files: a phrase for the help text, what writes a candidate to a path, and
    the logits that the written file gives for inputs, float32 [N, classes], in a runtime that rounds
    by `rounding`.

    `said` is None, or returns None, where the file alone does not make a network, or its runtime is
    missing: `unsaid` says what is needed then. Names of classes are written if it `holds_class_names`,
    and what is written fits on a board if it `heeds_boards`, and is part of a project of `nas.c.projects`
    if it `has_projects`.
    """

    help: str
    write: Callable[[ExportedCandidate, Path], None]
    said: "Callable[[ExportedCandidate, Path, Tensor], NDArray[np.float32] | None] | None" = None
    unsaid: str = ""
    rounding: Rounding = "single"
    holds_class_names: bool = False
    heeds_boards: bool = False
    has_projects: bool = False


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

    model = to_onnx(
        unpack(candidate.packed),
        fused=fused,
        class_names=class_names(candidate.packed) or (),
        preprocessing=preprocessing(candidate.packed),
    )
    durable.write(target, model.SerializeToString())


def _said_by_onnx(_: ExportedCandidate, target: Path, inputs: "Tensor") -> NDArray[np.float32]:
    """What ONNX Runtime says with its default options."""
    import onnx

    from nas.measure.host import run_onnx

    return run_onnx(onnx.load(target), inputs.numpy(), saturate=True)


def _write_tflite(candidate: ExportedCandidate, target: Path) -> None:
    _write_rounding(candidate, target, "single")


def _write_micro(candidate: ExportedCandidate, target: Path) -> None:
    _write_rounding(candidate, target, "double")


def _write_rounding(candidate: ExportedCandidate, target: Path, rounding: Rounding) -> None:
    _check_installed("flatbuffers", "tflite")
    from nas.tflite import to_tflite

    names = class_names(candidate.packed) or ()
    model = to_tflite(
        unpack(candidate.packed),
        rounding=rounding,
        class_names=names,
        preprocessing=preprocessing(candidate.packed),
    )
    durable.write(target, model)


def _check_installed(*modules: str) -> None:
    if missing := [name for name in modules if find_spec(name) is None]:
        raise ValueError(
            f"a .tflite file must be written with {' and '.join(missing)}, but there is no such "
            "package: pip install 'compact-nas[tflite]'"
        )


def _said_by_litert(
    _: ExportedCandidate, target: Path, inputs: "Tensor"
) -> NDArray[np.float32] | None:
    if find_spec("ai_edge_litert") is None:
        return None
    from nas.tflite.runtimes import run_litert

    return run_litert(target.read_bytes(), inputs.numpy())


def _said_by_micro(
    _: ExportedCandidate, target: Path, inputs: "Tensor"
) -> NDArray[np.float32] | None:
    if find_spec("tflite_micro") is None:
        return None
    from nas.tflite.runtimes import run_micro

    return run_micro(target.read_bytes(), inputs.numpy())


def _write_c(candidate: ExportedCandidate, target: Path) -> None:
    _write_sources(candidate, target, plain=False)


def _write_plain_c(candidate: ExportedCandidate, target: Path) -> None:
    _write_sources(candidate, target, plain=True)


def _write_sources(candidate: ExportedCandidate, target: Path, plain: bool) -> None:
    from nas.c import write_c

    program, names = unpack(candidate.packed), class_names(candidate.packed)
    write_c(
        program,
        target,
        plain=plain,
        board=candidate.board,
        inputs=candidate.inputs,
        class_names=names,
        project=candidate.project,
        preprocessing=preprocessing(candidate.packed),
    )


def _said_by_c(
    candidate: ExportedCandidate, target: Path, inputs: "Tensor"
) -> NDArray[np.float32] | None:
    """What the C says when it is compiled for this host."""
    from nas.c import compiler, said_on_host

    return None if compiler() is None else said_on_host(unpack(candidate.packed), target, inputs)


def _write_torch(candidate: ExportedCandidate, target: Path) -> None:
    """Weights as safetensors, and the design and the metrics as JSON beside them, by which
    `nas.load_exported` makes the network again.
    """
    from safetensors.numpy import save

    durable.write(target, save(dict(candidate.weights)))
    evaluation = evaluation_to_json(candidate.evaluation)
    description = {name: evaluation[name] for name in ("design", "genotype", "metrics")}
    if (found := preprocessing(candidate.packed)) is not None:
        description["preprocessing"] = json.loads(found.to_json())
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
    "packed": ExportFormat(
        "the packed file", _write_packed, _said_by_packed, holds_class_names=True
    ),
    "onnx": ExportFormat(
        "the same program as ONNX", _write_onnx, _said_by_onnx, holds_class_names=True
    ),
    "onnx-fused": ExportFormat(
        "the program for integer kernels, which round otherwise",
        _write_fused_onnx,
        _said_by_onnx,
        holds_class_names=True,
    ),
    "tflite": ExportFormat(
        "the same program for LiteRT, which rounds once",
        _write_tflite,
        _said_by_litert,
        "LiteRT must be installed: pip install 'compact-nas[tflite-test]'",
        holds_class_names=True,
    ),
    "tflite-micro": ExportFormat(
        "the program for TensorFlow Lite Micro, which rounds twice",
        _write_micro,
        _said_by_micro,
        "its runtime must be installed: pip install 'compact-nas[tflite-test]'",
        "double",
        holds_class_names=True,
    ),
    "c": ExportFormat(
        "the same program as C99, a folder",
        _write_c,
        _said_by_c,
        "a C compiler must be installed",
        holds_class_names=True,
        heeds_boards=True,
        has_projects=True,
    ),
    "c-plain": ExportFormat(
        "C99 whose weights are 8-bit integers in flash: faster, and longer",
        _write_plain_c,
        _said_by_c,
        "a C compiler must be installed",
        holds_class_names=True,
        heeds_boards=True,
        has_projects=True,
    ),
    "torch": ExportFormat(
        "weights as safetensors, and the design and the metrics in FILE.json",
        _write_torch,
        _said_by_torch,
        "weights need a network, which --retrain builds",
    ),
}
"""All formats, by their name on the command line; the first is the default."""
