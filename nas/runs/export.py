"""What a run directory holds, as files to ship."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as to_safetensors

from nas import durable
from nas.experiment import Experiment
from nas.objective import Evaluation, Status, best
from nas.packed import unpack
from nas.program import Program
from nas.runs import directory, journal, records
from nas.runs.records import objective_of
from nas.runs.retrain import retrained

FORMATS = ("packed", "onnx", "torch")


@dataclass(frozen=True)
class Candidate:
    """A trained candidate: what was measured, its file and its weights."""

    evaluation: Evaluation
    packed: bytes
    weights: Mapping[str, NDArray[Any]]


def chosen(out: Path, id: str) -> Evaluation:
    """The evaluation of a run directory with this number, or the best one for "best".

    Raises:
        ValueError: if there is no such candidate, or it was not trained.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    header, evaluations = journal.read(out)
    if id == "best":
        found = best(evaluations, objective_of(header))
        if found is None:
            raise ValueError(f"the best of {out} must be within the budget, but nothing is")
        return found
    if not id.isdecimal() or int(id) >= len(evaluations):
        raise ValueError(f"an id must be 'best' or 0 … {len(evaluations) - 1}, but got {id!r}")
    evaluation = evaluations[int(id)]
    if evaluation.status is not Status.OK:
        raise ValueError(
            f"candidate {id} must have been trained to be exported, but is {evaluation.status}: {evaluation.reason}"
        )
    return evaluation


def export(
    out: Path, id: str, to: str, target: Path, experiment: Experiment | None = None
) -> Evaluation:
    """Writes a candidate of a run: "packed", its file; "onnx", the same program as ONNX; "torch",
    weights and `target`.json.

    The weights are safetensors, the JSON beside them has the design and the metrics. What is
    written was trained by the run or, where an `experiment` is given, is trained now, as that one
    says. Returns its evaluation.

    Raises:
        ValueError: if there is no such candidate or format, or the experiment is not the run's.
        OSError: if a file cannot be read or written.
    """
    if to not in FORMATS:
        raise ValueError(f"a format must be one of {FORMATS}, but got {to!r}")
    evaluation = chosen(out, id)
    candidate = (
        _stored(out, evaluation) if experiment is None else _retrained(out, evaluation, experiment)
    )
    program = unpack(candidate.packed)  # nothing damaged is shipped
    if to == "packed":
        durable.write(target, candidate.packed)
    elif to == "onnx":
        durable.write(target, _onnx(program))
    else:
        durable.write(target, to_safetensors(dict(candidate.weights)))
        evaluated = records.to_json(candidate.evaluation)
        told = {name: evaluated[name] for name in ("design", "genotype", "metrics")}
        durable.write(target.with_name(target.name + ".json"), json.dumps(told, indent=2).encode())
    return candidate.evaluation


def _stored(out: Path, evaluation: Evaluation) -> Candidate:
    with np.load(directory.weights_path(out, evaluation.id), allow_pickle=False) as archive:
        weights = {name: archive[name] for name in archive.files}
    return Candidate(evaluation, directory.packed_path(out, evaluation.id).read_bytes(), weights)


def _retrained(out: Path, evaluation: Evaluation, experiment: Experiment) -> Candidate:
    again, trained = retrained(experiment, out, evaluation)
    # Storage of its own for each: safetensors takes no views.
    weights = {name: tensor.numpy().copy() for name, tensor in trained.model.state_dict().items()}
    return Candidate(again, trained.packed, weights)


def _onnx(program: Program) -> bytes:
    from nas.onnx import to_onnx  # slow to import

    return bytes(to_onnx(program).SerializeToString())
