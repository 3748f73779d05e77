"""A search whose candidates are made up, with workers, and journals that break their promise."""

import json
import os
import random
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np

from nas.executors import Futures, Handler
from nas.objective import Evaluation, Objective, Status
from nas.runs.candidate_requests import Evaluated, evaluated_answer
from nas.runs.journal import Journal, open_journal
from nas.runs.journal_format import encode_line, evaluation_to_json
from nas.runs.resume import ResumableEvaluations
from nas.runs.time_limits import CandidateLimit, SearchLimit
from nas.search_loop import search
from nas.space import Choice, Choices, Genotype
from nas.training.recipe import Recipe
from strategies.evolutionary.aging import AgingEvolution

TRIALS, WINDOW, WORKERS = 60, 4, 2
CHOICES = Choices([Choice("", name, (*range(6),)) for name in ("depth", "width", "bits")])


def files(genotype: Genotype) -> tuple[bytes, bytes]:
    """The weights and the packed file of a candidate."""
    return repr(genotype).encode() * 100, repr(genotype).encode()


def answering() -> Handler:
    """Gives results that follow from the genotype alone, after a while that does not."""
    chance = random.Random(os.getpid() + time.monotonic_ns())

    def answer(request: bytes) -> tuple[bytes, bool]:
        asked = json.loads(request)
        genotype = tuple(asked["genotype"])
        time.sleep(chance.uniform(0.0, 0.004))
        number = zlib.crc32(repr(genotype).encode())
        failed = number % 5 == 0
        evaluation = Evaluation(
            id=asked["id"],
            genotype=genotype,
            design=CHOICES.decode(genotype),
            status=Status.FAILED if failed else Status.OK,
            reason="made up" if failed else "",
            metrics={} if failed else {"accuracy": number % 1000 / 1000},
            seconds=0.5,
            epochs=asked["epochs"],
        )
        weights, packed = (b"", b"") if failed else files(genotype)
        return evaluated_answer(Evaluated(evaluation, weights, packed)), True

    return answer


def run(out: Path, acknowledge: Callable[[int], None]) -> None:
    """Starts the search or goes on with it, and acknowledges each candidate that may be relied on."""
    with (
        patch("nas.runs.resume.time.time", lambda: 0.0),  # journals tell when, and are compared
        open_journal(out, {"seed": 0, "window": WINDOW}) as journal,
        ProcessPoolExecutor(WORKERS, get_context("fork")) as pool,
        Futures(pool, WORKERS).open(answering) as workers,
    ):
        resumable = ResumableEvaluations(
            choices=CHOICES,
            workers=workers,
            journal=journal,
            out=out,
            window=WINDOW,
            curves=False,
            trial_limit=CandidateLimit(1.0, journal.evaluations, Recipe()),
            search_limit=SearchLimit(),
            check_signals=lambda: None,
        )
        strategy = AgingEvolution(CHOICES, np.random.default_rng(0), population=8, sample=3)
        for evaluation in search(strategy, resumable.submit, Objective(), TRIALS, WINDOW):
            acknowledge(evaluation.id)


Append = Callable[[Journal, Evaluation], None]


def hasty(acknowledge: Callable[[int], None]) -> Append:
    """Acknowledges before it writes."""
    sound = Journal.append

    def append(journal: Journal, evaluation: Evaluation) -> None:
        acknowledge(evaluation.id)
        sound(journal, evaluation)

    return append


def buffered(_: Callable[[int], None]) -> Append:
    """Writes three records at a time."""
    waiting = list[bytes]()

    def append(journal: Journal, evaluation: Evaluation) -> None:
        waiting.append(encode_line(evaluation_to_json(evaluation)))
        journal.evaluations.append(evaluation)
        if len(waiting) == 3:
            os.write(journal.descriptor, b"".join(waiting))
            os.fsync(journal.descriptor)
            waiting.clear()

    return append


def unsynced(_: Callable[[int], None]) -> Append:
    """Leaves to the system when a record comes to the disk."""

    def append(journal: Journal, evaluation: Evaluation) -> None:
        os.write(journal.descriptor, encode_line(evaluation_to_json(evaluation)))
        journal.evaluations.append(evaluation)

    return append


BAD: Mapping[str, Callable[[Callable[[int], None]], Append]] = {
    "hasty": hasty,
    "buffered": buffered,
    "unsynced": unsynced,
}
