"""What a run asks of its workers, and what they answer: data alone, so that nothing that a worker sends
is ever run.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from nas.evaluation.coded_size import SizePrediction
from nas.objective import Curve, Epoch, Evaluation
from nas.runs.journal_format import evaluation_from_json, evaluation_to_json
from nas.space import Genotype
from nas.strategy import Facts, Proposal

EVALUATE, FACTS, BUILT, KINDS = "evaluate", "facts", "built", "kinds"
"""What can be asked: to evaluate a candidate, its costs before training, its network as
`built_network` describes it, and whether every kind of choice has an effect.
"""


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and the content of the candidate's files, both empty if it was not trained."""

    evaluation: Evaluation
    weights: bytes = b""
    packed: bytes = b""


def evaluation_request(
    id: int, proposal: Proposal, curves: Sequence[Curve], prediction: SizePrediction
) -> bytes:
    """Asks to evaluate a proposal as number `id`; `curves` are those that the stopping rule compares
    with.
    """
    return _encoded(
        EVALUATE,
        id=id,
        genotype=_plain(proposal.genotype),
        epochs=proposal.epochs,
        curves=[[astuple(epoch) for epoch in curve] for curve in curves],
        corrections=dict(prediction.corrections),
        error=prediction.error,
    )


def facts_request(genotype: Genotype, prediction: SizePrediction) -> bytes:
    """Asks for the facts of a candidate."""
    return _encoded(
        FACTS,
        genotype=_plain(genotype),
        corrections=dict(prediction.corrections),
        error=prediction.error,
    )


def built_request(genotype: Genotype) -> bytes:
    """Asks for the network of a candidate."""
    return _encoded(BUILT, genotype=_plain(genotype))


def kinds_request() -> bytes:
    """Asks to check the kinds of choice."""
    return _encoded(KINDS)


def prediction_of(request: Mapping[str, Any]) -> SizePrediction:
    """The prediction of a request."""
    return SizePrediction(request["corrections"], request["error"])


def curves_of(request: Mapping[str, Any]) -> list[Curve]:
    """The curves of a request."""
    return [tuple(Epoch(*epoch) for epoch in curve) for curve in request["curves"]]


def evaluated_answer(evaluated: Evaluated) -> bytes:
    """An evaluation as an answer: a line of JSON, and the content of its files.

    Raises:
        ValueError: if a number of the evaluation is not finite.
    """
    sizes = len(evaluated.weights), len(evaluated.packed)
    line = json.dumps([evaluation_to_json(evaluated.evaluation), *sizes], allow_nan=False)
    return line.encode() + b"\n" + evaluated.weights + evaluated.packed


def read_evaluated(answer: bytes) -> Evaluated:
    """The inverse of `evaluated_answer`, but for options that JSON lacks.

    Raises:
        ValueError: if the answer is malformed.
    """
    line, _, files = answer.partition(b"\n")
    try:
        content, weights, packed = json.loads(line)
        evaluation = evaluation_from_json(content)
        if len(files) != weights + packed:
            raise ValueError("files of another length")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the answer of a worker must be an evaluation, but {error}") from error
    return Evaluated(evaluation, files[:weights], files[weights:])


def facts_answer(facts: Facts) -> bytes:
    """Facts as an answer."""
    return json.dumps([dict(facts.costs), facts.excess]).encode()


def read_facts(answer: bytes) -> Facts:
    """The inverse of `facts_answer`."""
    return Facts(*json.loads(answer))


def _encoded(what: str, **arguments: Any) -> bytes:
    return json.dumps({"ask": what, **arguments}).encode()


def _plain(genotype: Genotype) -> list[int]:
    return [int(gene) for gene in genotype]  # a strategy may give NumPy's
