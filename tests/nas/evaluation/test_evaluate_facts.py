import math

from torch import Tensor, nn

from nas.data import Task
from nas.objective import Budget, Status
from nas.program import Program
from nas.space import Design
from nas.strategy import Facts, Proposal
from tests.nas.evaluators import DEEP, Space, evaluator


def test_facts_are_what_the_evaluation_measures_before_training(tiny_task: Task) -> None:
    class Broken(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            raise RuntimeError("no such network")

    limits = {"size_bytes": 100.0}
    found = evaluator(tiny_task, limits=limits)
    evaluation, _ = found(0, Proposal(DEEP))
    facts = found.facts(DEEP)
    assert facts.costs == evaluation.metrics
    assert facts.excess == Budget(limits).excess(evaluation.metrics) > 0
    assert evaluator(tiny_task, limits={"size_bytes": 1000.0}).facts(DEEP).excess == 0
    assert evaluator(tiny_task, space=Broken(), limits=limits).facts(DEEP) == Facts({}, math.inf)


def test_facts_leave_out_what_is_measured_anew_each_time(tiny_task: Task) -> None:
    class Clock:
        """A device whose answers grow."""

        name = "clock"
        calls = 0

        def latency(self, program: Program) -> float:
            return self.compare_with_float(program, nn.Identity())[0]

        def compare_with_float(self, program: Program, model: nn.Module) -> tuple[float, float]:
            Clock.calls += 1
            return 1.0 * Clock.calls, 2.5

    found = evaluator(tiny_task, device=Clock(), limits={"latency_ms": 1500.0, "size_bytes": 1e6})
    facts = found.facts(DEEP)
    assert "latency_ms" not in facts.costs
    assert (facts.excess, Clock.calls) == (0.0, 0)
    first, second = (found(id, Proposal(DEEP))[0] for id in (0, 1))
    assert first.metrics["latency_ratio"] == 2.5
    assert [first.metrics["latency_ms"], second.metrics["latency_ms"]] == [1000.0, 2000.0]
    assert (first.status, second.status) == (Status.OK, Status.OVER_BUDGET)


def test_the_program_of_an_untrained_candidate_costs_what_its_facts_say(tiny_task: Task) -> None:
    found = evaluator(tiny_task)
    assert found.program(DEEP).macs == found.facts(DEEP).costs["macs"]
