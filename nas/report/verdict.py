"""What was found, and whether it is what was asked for."""

from nas.objective import Evaluation, Status, nearest_to_budget
from nas.report.figures import duration, metrics_text, number, option_text
from nas.report.markup import Markup, element
from nas.report.reported_run import ReportedRun
from nas.report.tables import table
from nas.runs.before_compression import before_compression
from nas.runs.recommended import Network
from nas.runs.teacher_score import read_teacher


def verdict(run: ReportedRun) -> list[Markup]:
    """One sentence, the counts, and tables of the recommended network's figures and its design."""
    counts = ", ".join(
        f"{count:,} {status}" for status, count in run.found["counts"].items() if count
    )
    searched = (
        f"{len(run.evaluations):,} candidates in {duration(run.seconds)}: {counts or 'none yet'}."
    )
    network = run.network
    if network is None:
        return [_flag(False, _nothing(run)), element("p", searched)]
    within = run.objective.budget.excess(network.evaluation.metrics) == 0
    limits = run.objective.budget.limits
    budget = ", ".join(
        f"{name} {number(network.evaluation.metrics[name])} of {number(limit)}"
        for name, limit in limits.items()
    )
    meets = (
        ("within the budget: " if within else "over the budget: ") + budget
        if limits
        else "there is no budget"
    )
    sentence = f"Found {network.what}: {metrics_text(_told(run, network.evaluation))}; {meets}."
    design = [[name, option_text(option)] for name, option in network.evaluation.design.items()]
    return [
        _flag(within, sentence),
        element("p", searched),
        table("before and after", ("", "value"), before_and_after(run, network)),
        element(
            "details",
            element("summary", "its design"),
            table("design", ("choice", "option"), design),
        ),
    ]


def before_and_after(run: ReportedRun, network: Network) -> list[list[str]]:
    """What is known of the network before it was compressed, as a packed file, and on test data."""
    metrics, searched = network.evaluation.metrics, run.evaluations[network.evaluation.id]
    before = before_compression(run.header, network.evaluation)
    quality, curve = run.quality, run.curve_metric
    again = None if searched is network.evaluation else searched.metrics.get(quality)
    floats = 4 * metrics["params"] if "params" in metrics else None
    teacher = read_teacher(run.out)
    rows = [
        (f"validation {curve} of the teacher, in floats", teacher.get(curve)),
        ("bytes of the teacher's parameters as 32-bit floats", teacher.get("float_bytes")),
        (f"validation {curve} after the first phase of training, before the compressors", before),
        (f"validation {curve} after training, in PyTorch", metrics.get(f"{curve}_fake_quant")),
        (f"validation {quality} of the packed file", metrics.get(quality)),
        (f"validation {quality} of the same design in the search", again),
        (f"test {quality} of the packed file", _test_score(run, network)),
        ("bytes of its parameters as 32-bit floats", floats),
        ("bytes of the packed file", metrics.get("size_bytes")),
    ]
    told = {quality, f"{curve}_fake_quant", f"test_{quality}", "size_bytes"}
    rows += [(name, value) for name, value in metrics.items() if name not in told]
    return [[name, number(value)] for name, value in rows if value is not None]


def _told(run: ReportedRun, evaluation: Evaluation) -> dict[str, float]:
    names = (run.quality, f"test_{run.quality}", "size_bytes")
    return {name: evaluation.metrics[name] for name in names if name in evaluation.metrics}


def _test_score(run: ReportedRun, network: Network) -> float | None:
    name = f"test_{run.quality}"
    if network.folder == run.out:
        tested: float | None = run.found.get(name)
        return tested
    return network.evaluation.metrics.get(name, run.found.get(f"chosen_{name}"))


def _nothing(run: ReportedRun) -> str:
    if not run.evaluations:
        return "Nothing has been evaluated yet."
    if not any(each.status is not Status.FAILED for each in run.evaluations):
        return "Every candidate failed; the reasons are below."
    nearest = nearest_to_budget(run.evaluations, run.objective)
    if nearest is None or not run.objective.budget.excess(nearest.metrics):
        return "No candidate was trained to its end."
    over = run.objective.budget.broken(nearest.metrics)
    return f"Nothing meets the budget; nearest is number {nearest.id}: {over}."


def _flag(good: bool, sentence: str) -> Markup:
    return element("p", sentence, attributes={"class": "verdict good" if good else "verdict bad"})
