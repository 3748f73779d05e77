"""What a run directory holds of a search that did not end."""

from pathlib import Path

from nas.cli.metrics import format_metrics
from nas.objective import best
from nas.runs.journal import JOURNAL_NAME, read_journal
from nas.runs.journal_format import objective_of


def kept(out: Path, trials: int) -> str | None:
    """How many of `trials` are kept, and the best of them; None if there is no evaluation.

    Raises:
        RunDirectoryError: if the journal is damaged.
    """
    path = out / JOURNAL_NAME
    if not path.is_file() or not path.stat().st_size:
        return None
    header, evaluations = read_journal(out)
    if not evaluations:
        return None
    objective = objective_of(header)
    leader = best(evaluations, objective)
    told = "no candidate within the budget"
    if leader is not None:
        names = objective.maximize + objective.minimize
        told = f"best {format_metrics({name: leader.metrics[name] for name in names})}"
    return f"{sum(each.is_trial for each in evaluations)} of {trials} trials kept, {told}"
