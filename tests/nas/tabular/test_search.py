import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.objective import Budget, Fitness
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Proposal
from nas.tabular.benchmark import TabularBenchmark, read_benchmark
from nas.tabular.query_budget import MaxQueries, MaxSeconds, QueryBudget
from nas.tabular.search import TabularSearch, run_seeds
from strategies.evolutionary.aging import AgingEvolution
from strategies.grid import Grid
from strategies.random_search import RandomSearch


@pytest.fixture
def table(path: Path) -> TabularBenchmark:
    return read_benchmark(path, ("val_acc_2ep", "test_acc_9ep"))


def tabular_search(
    table: TabularBenchmark, queries: QueryBudget | int, **limits: float
) -> TabularSearch:
    budget = MaxQueries(queries) if isinstance(queries, int) else queries
    return TabularSearch(
        benchmark=table,
        search_on="val_acc_2ep",
        report="test_acc_9ep",
        queries=budget,
        budget=Budget(limits),
    )


class Scripted:
    """Proposes the genotypes of a script, repeats the last one, and records the results."""

    def __init__(self, script: list[Genotype]) -> None:
        self.script = script
        self.results: list[tuple[Genotype, Fitness]] = []
        self.facts: dict[Genotype, Facts] = {}

    def inform(self, facts: object) -> None:
        assert callable(facts)
        self.facts = {genotype: facts(genotype) for genotype in self.script}

    def ask(self) -> Proposal:
        return Proposal(self.script.pop(0) if len(self.script) > 1 else self.script[0])

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        self.results.append((proposal.genotype, fitness))


def test_the_incumbent_is_the_best_by_one_column_and_reported_by_another(
    table: TabularBenchmark,
) -> None:
    table.columns["test_acc_9ep"][table.rows[2, 3, 1]] = 5.0
    strategy = Scripted([(0, 0, 0), (1, 0, 0), (0, 1, 0), (2, 3, 1), (0, 0, 0)])
    found = tabular_search(table, 5).run(lambda *_: strategy, seed=0)
    assert found.incumbents == (60.0, 68.0, 68.0, 5.0)
    assert found.cost == 10 + 11 + 10 + 12
    assert strategy.results[:4] == [
        ((0, 0, 0), (0.4,)),
        ((1, 0, 0), (0.48,)),
        ((0, 1, 0), (0.42,)),
        ((2, 3, 1), (0.63,)),
    ]


def test_repeats_are_no_queries_and_end_the_search_eventually(table: TabularBenchmark) -> None:
    strategy = Scripted([(0, 0, 0), (0, 0, 0), (1, 0, 0)])
    assert tabular_search(table, 100).run(lambda *_: strategy, 0).incumbents == (60.0, 68.0)
    assert len(strategy.results) < 2000


def test_queries_are_counted_and_seconds_never_exceeded(table: TabularBenchmark) -> None:
    assert len(tabular_search(table, 7).run(RandomSearch, 0).incumbents) == 7
    script = [(1, 0, 0), (1, 1, 0), (2, 0, 0), (0, 0, 0)]
    for seconds, queries in ((10.9, 0), (11, 1), (33.9, 2), (34, 3), (44, 4)):
        found = tabular_search(table, MaxSeconds(seconds)).run(lambda *_: Scripted([*script]), 0)
        assert len(found.incumbents) == queries
        assert found.cost <= seconds


def test_without_a_column_of_costs_a_query_costs_one(table: TabularBenchmark) -> None:
    bare = replace(
        table, columns={name: table.columns[name] for name in ("val_acc_2ep", "test_acc_9ep")}
    )
    found = tabular_search(bare, MaxSeconds(5.5)).run(RandomSearch, 0)
    assert (len(found.incumbents), found.cost) == (5, 5.0)


def test_a_design_over_the_limit_is_no_query_and_never_the_incumbent(
    table: TabularBenchmark,
) -> None:
    limited = tabular_search(table, 100, latency_ms_board=2.0, params=300)
    strategy = Scripted([(2, 3, 1), (0, 1, 0), (2, 2, 0), (1, 1, 0)])
    assert limited.run(lambda *_: strategy, 0).incumbents == (62.0, 70.0)
    assert strategy.results[:4] == [
        ((2, 3, 1), (-1.0,)),
        ((0, 1, 0), (0.42,)),
        ((2, 2, 0), (1 - 500 / 300,)),
        ((1, 1, 0), (0.5,)),
    ]
    assert strategy.facts[0, 1, 0] == Facts({"params": 200.0, "latency_ms_board": 2.0}, 0.0)
    assert strategy.facts[2, 2, 0] == Facts(
        {"params": 500.0, "latency_ms_board": 3.0}, 500 / 300 - 1
    )


def test_any_column_known_before_training_can_be_limited(table: TabularBenchmark) -> None:
    priced = replace(table, columns={**table.columns, "price": table.columns["params"]})
    limited = tabular_search(priced, 100, price=200)
    assert limited.facts((0, 0, 0)).costs == {
        "params": 100.0,
        "latency_ms_board": 1.0,
        "price": 100.0,
    }
    assert set(limited.run(RandomSearch, 0).incumbents) <= {60.0, 61.0, 62.0, 68.0}


def test_a_design_missing_from_the_table_fails_and_is_no_query(table: TabularBenchmark) -> None:
    rows = {genotype: row for genotype, row in table.rows.items() if genotype != (1, 0, 0)}
    partial = replace(table, rows=rows)
    strategy = Scripted([(1, 0, 0), (0, 0, 0), (0, 1, 0)])
    assert tabular_search(partial, 2).run(lambda *_: strategy, 0).incumbents == (60.0, 62.0)
    assert strategy.results[0] == ((1, 0, 0), (-1.0,))
    assert strategy.facts[1, 0, 0] == Facts({}, math.inf)


def test_a_search_ends_if_hardly_any_design_is_in_the_table(table: TabularBenchmark) -> None:
    vast = Choices(Choice(f"position{index}", "op", tuple(range(100))) for index in range(10))
    asked = 0

    class Counted(RandomSearch):
        def ask(self) -> Proposal:
            nonlocal asked
            asked += 1
            return super().ask()

    found = tabular_search(replace(table, choices=vast, rows={(0,) * 10: 0}), 50).run(Counted, 0)
    assert (found.incumbents, asked) == ((), 1000)


def test_every_design_is_found_once(table: TabularBenchmark) -> None:
    found = tabular_search(table, 10_000).run(Grid, 3)
    assert len(found.incumbents) == 24
    assert found.incumbents[-1] == 83.0


def test_seeds_differ_and_their_results_do_not_depend_on_the_workers(
    table: TabularBenchmark,
) -> None:
    wanted = tabular_search(table, 6)
    alone = run_seeds(wanted, AgingEvolution, seeds=11, workers=1)
    assert len(alone) == 11
    assert len({found.incumbents for found in alone}) > 5
    assert alone[7] == wanted.run(AgingEvolution, 7)
    assert run_seeds(wanted, AgingEvolution, seeds=11, workers=2) == alone


def test_impossible_searches_are_refused(table: TabularBenchmark) -> None:
    with pytest.raises(
        ValueError,
        match=r"a limit must be on a column known before training, .*'params'.*, but got 'test_acc_9ep'",
    ):
        tabular_search(table, 5, test_acc_9ep=50)
    with pytest.raises(ValueError, match=r"before training, .* but got 'train_seconds_2ep'"):
        tabular_search(table, 5, train_seconds_2ep=50)
    with pytest.raises(
        ValueError, match=r"none does: the smallest values are \{'latency_ms_board': 1\.0\}"
    ):
        tabular_search(table, 5, latency_ms_board=0.5)
    table.columns["val_acc_2ep"][3] = 100.5
    with pytest.raises(
        ValueError, match=r"'val_acc_2ep' must lie within 0 … 100, but is 40 to 100\.5"
    ):
        tabular_search(table, 5)
    table.columns["val_acc_2ep"][:] = np.linspace(0, 0.9, 24)
    with pytest.raises(ValueError, match=r"in percent, but its largest value is 0\.9"):
        tabular_search(table, 5)


def test_another_fidelity_is_refused(table: TabularBenchmark) -> None:
    with pytest.raises(
        ValueError, match="must propose no epochs, which 'val_acc_2ep' determines, but proposed 3"
    ):
        tabular_search(table, 5).submit(0, Proposal((0, 0, 0), 3.0))


def test_few_epochs_are_queries_of_their_column_and_rank_below_all_epochs(
    table: TabularBenchmark,
) -> None:
    rows = len(table.rows)
    fewer = {
        "val_acc_1ep": table.columns["val_acc_2ep"] + 30,
        "train_seconds_1ep": np.full(rows, 3.0),
    }
    problem = tabular_search(replace(table, columns={**table.columns, **fewer}), 100)
    assert problem.submit(0, Proposal((0, 0, 0), 1.0))().metrics["accuracy"] == 0.7

    script = [Proposal((1, 0, 0), 1.0), Proposal((2, 3, 1), 1.0), Proposal((0, 0, 0))]
    strategy = Scripted([])
    strategy.inform = lambda facts: None  # type: ignore[method-assign]
    strategy.ask = lambda: script.pop(0) if len(script) > 1 else script[0]  # type: ignore[method-assign]
    found = problem.run(lambda *_: strategy, 0)
    assert found.incumbents == (68.0, 100.0 - 17.0, 60.0)
    assert found.cost == 3 + 3 + 10
    with pytest.raises(ValueError, match=r"or those of another column, \(1,\), but proposed 7"):
        problem.submit(0, Proposal((0, 0, 0), 7.0))


def test_what_ended_a_search_is_told(table: TabularBenchmark) -> None:
    assert tabular_search(table, 3).run(RandomSearch, 0).ended == "limit"
    assert tabular_search(table, 1000).run(RandomSearch, 0).ended == "designs"
    assert tabular_search(table, 9).run(lambda *_: Scripted([(0, 0, 0)]), 0).ended == "patience"


def test_the_strategy_gets_the_generator_of_a_run_with_that_seed(table: TabularBenchmark) -> None:
    drawn = []

    def make(choices: Choices, rng: np.random.Generator) -> RandomSearch:
        drawn.append(int(rng.integers(2**40)))
        return RandomSearch(choices, rng)

    for seed in (0, 0, 1):
        tabular_search(table, 2).run(make, seed)
    assert drawn[0] == drawn[1] != drawn[2]
