"""The Pareto front as a picture, on the axes of the objective, with the budget."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nas.board.axes import axes
from nas.board.picture import Picture, pixels
from nas.objective import Evaluation, Objective, Status, pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 8.0, 5.0


def pareto_picture(
    evaluations: Sequence[Evaluation], objective: Objective, quality: str = "accuracy"
) -> Picture:
    """All trained candidates and the Pareto front, a plot for each pair of `axes`, side by side, with
    the limits of the budget dashed; uint8 [H, W, 4].
    """
    pairs = axes(objective, quality)
    figure = Figure(figsize=(WIDTH * len(pairs), HEIGHT), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    trained = [each for each in evaluations if each.status is Status.OK]
    front = pareto_front(trained, objective)
    for column, (x, y) in enumerate(pairs, start=1):
        plot = figure.add_subplot(1, len(pairs), column, xlabel=x, ylabel=y, title="Pareto front")
        _draw(plot, trained, front, objective, x, y)
    return pixels(canvas)


def _draw(
    plot: "Axes",
    trained: Sequence[Evaluation],
    front: Sequence[Evaluation],
    objective: Objective,
    x: str,
    y: str,
) -> None:
    plot.scatter(*_points(trained, x, y), s=18, color="0.6", label="trained candidates")
    # Of more than two objectives, the front is no line in any two of them.
    line = "-" if {x, y} == {*objective.maximize, *objective.minimize} else ""
    ordered = sorted(front, key=lambda each: each.metrics.get(x, 0.0))
    plot.plot(*_points(ordered, x, y), marker="o", linestyle=line, color="tab:blue", label="front")
    limits = objective.budget.limits
    for name, draw in ((x, plot.axvline), (y, plot.axhline)):
        if name in limits:
            draw(limits[name], color="tab:red", linestyle="--", label=f"{name} ≤ {limits[name]:g}")
    plot.legend(loc="lower right")


def _points(evaluations: Sequence[Evaluation], x: str, y: str) -> tuple[list[float], list[float]]:
    measured = [each.metrics for each in evaluations if {x, y} <= each.metrics.keys()]
    return [metrics[x] for metrics in measured], [metrics[y] for metrics in measured]
