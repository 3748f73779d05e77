"""Candidates of a run as files to ship."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.objective import Evaluation, Status, best
from nas.packed import ArtifactError, preprocessing, unpack, with_class_names, with_preprocessing
from nas.program.demand import samples_at_a_time
from nas.program.program import Program
from nas.regular_file import check_target
from nas.runs.directory import (
    FINAL_FOLDER,
    RETRAINED_FOLDER,
    check_folders,
    packed_path,
    read_class_names,
    read_preprocessing,
    weights_path,
)
from nas.runs.final import read_final
from nas.runs.finalists import chosen, read_retrained
from nas.runs.formats import FORMATS, ExportedCandidate
from nas.runs.journal import read_journal
from nas.runs.journal_format import objective_of
from nas.training.weights_file import read_weights

if TYPE_CHECKING:
    from torch import Tensor

    from nas.experiment import Experiment
    from nas.measure.boards import Board
    from nas.measure.parity import Parity

AGAIN = "nas export --retrain trains the candidate again"

Samples = Callable[[Program], "Tensor"]
"""Gives inputs, float32 [N, …], for a program."""


@dataclass(frozen=True)
class Exported:
    """The evaluation of the exported candidate, and how its file agrees with the packed one under the
    rounding of its runtime; None where the file alone does not make a network, or that is missing.
    """

    evaluation: Evaluation
    parity: "Parity | None"


def export(
    out: Path,
    id: str,
    to: str,
    target: Path,
    experiment: "Experiment | None" = None,
    class_names: bool = False,
    samples: Samples | None = None,
    board: "Board | None" = None,
    project: str | None = None,
    packs_preprocessing: bool = False,
) -> Exported:
    """Writes a candidate of a run to the file or folder `target`, in the format `to`, and compares
    what that says with what the packed file does.

    `id` is as in `find_candidate`, "retrained" for the best of those that the run trained again, or
    "final" for its final network, and `to` is a name in `FORMATS`. The candidate is taken as the run
    trained it, or trained again by `experiment` if one is given: its metrics then have
    `test_accuracy`, or the like of the run's metric of quality. With `class_names` the file has the
    names of the classes: a packed one is longer by them than `size_bytes`. How raw values become inputs
    is part of every other format if the run knows it, and of a packed file if the search had it there, or
    with `packs_preprocessing`, which makes it longer than `size_bytes` too. The files are compared on up
    to 512 inputs: those that `samples` gives, else the experiment's validation samples, else random
    ones, which a seed of 0 draws from the range of the program's input. With a `board` the C is written
    so that it fits there, and with a `project`, a key of `nas.c.projects.PROJECTS`, as its tool wants
    it.

    Raises:
        ValueError: if there is no such candidate or format, class names or preprocessing are wanted and
            there are none, the format holds no class names or heeds no boards, the candidate does not fit
            on the one given, the format has no projects or there is none of this name, the final network
            failed or is over the budget, the experiment is not the run's, samples have another shape,
            `target` is something else than a file, or the files of the candidate are damaged.
        OSError: if a file cannot be read or written.
    """
    from nas.measure.parity import parity

    if to not in FORMATS:
        raise ValueError(f"a format must be one of {(*FORMATS,)}, but got {to!r}")
    if board is not None and not FORMATS[to].heeds_boards:
        named = ", ".join(repr(name) for name, kind in FORMATS.items() if kind.heeds_boards)
        raise ValueError(f"a format that fits on a board must be one of {named}, but got {to!r}")
    if project is not None:
        _check_project(to, project, target)
    check_target(target)
    check_folders(out)
    names = _class_names(out, to, experiment) if class_names else None
    evaluation, folder = _found(out, id)
    candidate = (
        _stored(folder, evaluation)
        if experiment is None
        else _retrained(out, evaluation, experiment)
    )
    program = unpack(candidate.packed)  # checks that it is undamaged
    candidate = replace(
        candidate, packed=_prepared(out, to, candidate, experiment, packs_preprocessing)
    )
    if names is not None:
        candidate = replace(candidate, packed=with_class_names(candidate.packed, names))
    inputs = _inputs(program, experiment, samples)
    candidate = replace(candidate, inputs=inputs, board=board, project=project)
    kind = FORMATS[to]
    kind.write(candidate, target)
    said = None if kind.said is None else kind.said(candidate, target, inputs)
    return Exported(
        candidate.evaluation, None if said is None else parity(program, inputs, said, kind.rounding)
    )


def _check_project(to: str, project: str, target: Path) -> None:
    from nas.c.projects import check_project

    if not FORMATS[to].has_projects:
        named = ", ".join(repr(name) for name, kind in FORMATS.items() if kind.has_projects)
        raise ValueError(f"a format that a project has must be one of {named}, but got {to!r}")
    check_project(project, target.resolve().name)


def _inputs(program: Program, experiment: "Experiment | None", samples: Samples | None) -> "Tensor":
    """The inputs on which files are compared, float32 [N, …]."""
    from nas.measure.parity import SAMPLES, random_inputs

    shape, most = program.tensors[0].shape, samples_at_a_time(program, SAMPLES)
    if samples is not None:
        inputs = samples(program)
    elif experiment is not None:
        inputs = experiment.task.validation.inputs
    else:
        return random_inputs(program, most)
    if tuple(inputs.shape[1:]) != shape:
        raise ValueError(f"samples must be {shape}, but are {tuple(inputs.shape[1:])}")
    return inputs[:most]


def _class_names(out: Path, to: str, experiment: "Experiment | None") -> tuple[str, ...]:
    if not FORMATS[to].holds_class_names:
        named = ", ".join(repr(name) for name, kind in FORMATS.items() if kind.holds_class_names)
        raise ValueError(f"class names are written to the formats {named}, but got {to!r}")
    names = read_class_names(out) if experiment is None else experiment.task.class_names
    if names is None:
        raise ValueError(
            f"the task of {out} must have class names for them to be written, but has none: folders of images have some"
        )
    return names


def _prepared(
    out: Path,
    to: str,
    candidate: ExportedCandidate,
    experiment: "Experiment | None",
    wanted: bool,
) -> bytes:
    """The packed file with the preprocessing that what is written is to have."""
    packed = candidate.packed
    if preprocessing(packed) is not None or (to == "packed" and not wanted):
        return packed
    known = read_preprocessing(out) if experiment is None else experiment.task.preprocessing
    if known is not None:
        return with_preprocessing(packed, known)
    if wanted:
        raise ValueError(
            f"the task of {out} must have preprocessing for it to be written, but has none"
        )
    return packed


def _found(out: Path, id: str) -> tuple[Evaluation, Path]:
    """A candidate, and the folder with its files."""
    if id == "retrained":
        return _chosen(out), out / RETRAINED_FOLDER
    if id == "final":
        return _final(out), out / FINAL_FOLDER
    return find_candidate(out, id), out


def _final(out: Path) -> Evaluation:
    final = read_final(out)
    if final is None:
        raise ValueError(
            f"{out} must hold a final network, but holds none: run it with --final-epochs"
        )
    if final.status is not Status.OK:
        raise ValueError(
            f"the final network of {out} must be OK to be exported, but is {final.status}: {final.reason}"
        )
    return final


def _chosen(out: Path) -> Evaluation:
    choice = chosen(read_retrained(out), objective_of(read_journal(out)[0]))
    if choice is None:
        raise ValueError(
            f"{out} must hold a candidate within the budget that was trained again, but holds none"
        )
    return choice


def find_candidate(out: Path, id: str) -> Evaluation:
    """The trained candidate of a run directory with this id, or the best one for "best".

    Raises:
        ValueError: if there is no such candidate, or it was not trained.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    header, evaluations = read_journal(out)
    if id == "best":
        leader = best(evaluations, objective_of(header))
        if leader is None:
            raise ValueError(f"the best of {out} must be within the budget, but nothing is")
        return leader
    if not id.isdecimal() or int(id) >= len(evaluations):
        raise ValueError(f"an id must be 'best' or 0 … {len(evaluations) - 1}, but got {id!r}")
    evaluation = evaluations[int(id)]
    if evaluation.status is not Status.OK:
        raise ValueError(
            f"candidate {id} must have been trained to be exported, but is {evaluation.status}: {evaluation.reason}"
        )
    return evaluation


def _stored(out: Path, evaluation: Evaluation) -> ExportedCandidate:
    path = packed_path(out, evaluation.id)
    try:
        weights = read_weights(weights_path(out, evaluation.id))
        packed = path.read_bytes()
        unpack(packed)
    except (ArtifactError, FileNotFoundError) as error:
        raise ArtifactError(f"{path} must be a packed file, but {error}; {AGAIN}") from error
    except ValueError as error:
        raise ValueError(f"{error}; {AGAIN}") from error
    return ExportedCandidate(evaluation, packed, weights)


def _retrained(out: Path, evaluation: Evaluation, experiment: "Experiment") -> ExportedCandidate:
    from nas.program import qualities
    from nas.runs.retrain import retrained

    again, trained = retrained(experiment, out, evaluation)
    task, name = experiment.task, experiment.quality
    program = unpack(trained.packed)
    tested = qualities(program, task.test, (name,), task.kind, rounding=experiment.rounding)[name]
    again = replace(again, metrics={**again.metrics, f"test_{name}": tested})
    # Copied, because safetensors refuses views.
    weights = {name: tensor.numpy().copy() for name, tensor in trained.model.state_dict().items()}
    return ExportedCandidate(again, trained.packed, weights, trained.model)
