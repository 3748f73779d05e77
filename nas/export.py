"""What a run directory holds, as files to ship."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as to_safetensors

from nas import durable, record
from nas.artifact import score, unpack
from nas.data import Split, digits, read_mnist, read_npz
from nas.objective import Evaluation, Status, best
from nas.seeds import generator
from nas.show import objective_of

FORMATS = ("packed", "torch")


def chosen(out: Path, id: str) -> Evaluation:
    """The evaluation of a run directory with this number, or the best one for "best".

    Raises:
        ValueError: if there is no such candidate, or it was not trained.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    header, evaluations = record.read(out)
    if id == "best":
        found = best(evaluations, objective_of(header))
        if found is None:
            raise ValueError(f"the best of {out} must be within the budget, but nothing is")
        return found
    if not id.isdecimal() or int(id) >= len(evaluations):
        raise ValueError(f"an id must be 'best' or 0 … {len(evaluations) - 1}, but got {id!r}")
    evaluation = evaluations[int(id)]
    if evaluation.status is not Status.OK:
        raise ValueError(f"candidate {id} must have been trained to be exported, but is {evaluation.status}: {evaluation.reason}")
    return evaluation


def export(out: Path, id: str, to: str, target: Path) -> Evaluation:
    """Writes a trained candidate of a run: "packed", its file; "torch", its weights as safetensors, and `target`.json.

    The JSON beside the weights has the design and the metrics.

    Raises:
        ValueError: if there is no such candidate or format.
        OSError: if a file cannot be read or written.
    """
    evaluation = chosen(out, id)
    if to == "packed":
        packed = record.packed_path(out, evaluation.id).read_bytes()
        unpack(packed)  # nothing damaged is shipped
        durable.write(target, packed)
    elif to == "torch":
        with np.load(record.weights_path(out, evaluation.id), allow_pickle=False) as archive:
            durable.write(target, to_safetensors({name: archive[name] for name in archive.files}))
        told = {name: value for name, value in record.to_json(evaluation).items() if name in ("design", "genotype", "metrics")}
        durable.write(target.with_name(target.name + ".json"), json.dumps(told, indent=2).encode())
    else:
        raise ValueError(f"a format must be one of {FORMATS}, but got {to!r}")
    return evaluation


def test_split(data: str) -> Split:
    """The test samples of "digits", of a folder of IDX files, or of an `.npz` file with `inputs` and `labels`.

    Raises:
        DataError: if the data is damaged or there is none.
    """
    if data == "digits":
        return digits(generator(0, "digits")).test
    path = Path(data)
    return read_npz(path, "inputs", "labels") if path.suffix == ".npz" else read_mnist(path)[1]


def scored(file: Path, data: str) -> Mapping[str, Any]:
    """The length of a packed file, and its accuracy on the test samples of `data`.

    Raises:
        ArtifactError: if the file is damaged.
        ValueError: if the samples do not have the shape of its input.
    """
    packed = file.read_bytes()
    program, split = unpack(packed), test_split(data)
    wanted, found = program.tensors[0].shape, tuple(split.inputs.shape[1:])
    if wanted != found:
        raise ValueError(f"samples must be {wanted} for {file}, but those of {data} are {found}")
    return {"bytes": len(packed), "accuracy": score(program, split), "samples": len(split.labels)}
