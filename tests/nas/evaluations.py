"""Random evaluations and objectives."""

from hypothesis import strategies as st

from nas.objective import (
    Budget,
    Evaluation,
    Metrics,
    Objective,
    Status,
)

OK, OVER, FAILED, STOPPED = Status.OK, Status.OVER_BUDGET, Status.FAILED, Status.STOPPED


SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])


COSTS = st.floats(0, 1e300) | st.integers(0, 10)


LIMITS = st.floats(1e-9, 1e300) | st.integers(1, 10)


def evaluation(
    metrics: Metrics, status: Status = OK, id: int = 0, epochs: float | None = None
) -> Evaluation:
    return Evaluation(
        id=id,
        genotype=(id,),
        design={},
        status=status,
        reason="",
        metrics=metrics,
        seconds=0.0,
        epochs=epochs,
    )


@st.composite
def runs(draw: st.DrawFn) -> list[Evaluation]:
    """Evaluations with few values, so that many are equal in one metric or in all."""
    found = []
    for id in range(draw(st.integers(0, 9))):
        status = draw(st.sampled_from([OK, OK, OK, OVER, FAILED]))
        costs = {"size": float(draw(st.integers(1, 4))), "macs": float(draw(st.integers(1, 4)))}
        trained = {"accuracy": draw(st.sampled_from([0.25, 0.5, 0.75])), **costs}
        found.append(evaluation({OK: trained, OVER: costs, FAILED: {}}[status], status, id))
    return found


OBJECTIVES = st.builds(
    Objective,
    maximize=st.just(("accuracy",)),
    minimize=st.sampled_from([(), ("size",), ("size", "macs")]),
    budget=st.builds(
        Budget, st.sampled_from([{}, {"size": 3}, {"size": 2, "macs": 2}, {"macs": 0.5}])
    ),
)
