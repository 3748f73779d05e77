from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.objective import Evaluation, Status
from nas.search_loop import Pending, search
from nas.space import Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting
from tests.nas.scripted_searches import OBJECTIVE, Adaptive, Scripted, Workers, measured


def test_what_is_asked_for_is_evaluated_told_and_yielded_in_that_order() -> None:
    strategy, workers = Scripted([5, 13, 80, 6, 7, 8]), Workers()
    results = search(strategy, workers, OBJECTIVE, trials=4)
    assert workers.started == strategy.asked == [], (
        "a search does nothing before its first result is asked for"
    )
    for count, evaluation in enumerate(results, 1):
        assert evaluation == measured(count - 1, strategy.asked[count - 1])
        assert strategy.told[-1] == (strategy.asked[count - 1], OBJECTIVE.fitness(evaluation))
        assert len(strategy.told) == len(strategy.asked) == len(workers.started) == count
    assert [proposal.genotype for proposal, _ in strategy.told] == [(5,), (13,), (80,), (6,), (7,)]
    assert [fitness[0] for _, fitness in strategy.told] == pytest.approx(
        [0.35, -1.0, -1 / 7, 0.42, 0.49]
    )


@pytest.mark.parametrize("window", [1, 2, 4, 9])
def test_a_proposal_is_made_knowing_exactly_the_results_before_the_window(window: int) -> None:
    strategy = Adaptive(0, genes=40)
    found = list(search(strategy, Workers(), OBJECTIVE, trials=30, window=window))
    assert strategy.known == [max(0, index - window + 1) for index in range(len(strategy.asked))]
    assert [proposal for proposal, _ in strategy.told] == strategy.asked[: len(strategy.told)]
    fitness = {evaluation.genotype: OBJECTIVE.fitness(evaluation) for evaluation in found}
    assert [told for _, told in strategy.told] == [
        fitness[proposal.genotype] for proposal, _ in strategy.told
    ]


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(0, 50), st.sampled_from([1, 2, 4]), st.integers(1, 20))
def test_the_order_in_which_evaluations_end_changes_nothing(
    seed: int, window: int, trials: int
) -> None:
    asked, found = [], []
    for chance in range(3):
        strategy = Adaptive(seed, genes=200)
        found.append(list(search(strategy, Workers(chance), OBJECTIVE, trials, window)))
        asked.append(strategy.asked)
    assert asked[0] == asked[1] == asked[2]
    assert found[0] == found[1] == found[2]


def test_as_many_evaluations_run_at_once_as_the_window_is_wide_and_end_in_any_order() -> None:
    for window in (1, 2, 4):
        workers = Workers()
        list(search(Adaptive(0, genes=10_000), workers, OBJECTIVE, trials=40, window=window))
        assert workers.most == window
        assert workers.awaited == list(range(len(workers.started)))
        assert (workers.ended == workers.awaited) is (window == 1)


@settings(deadline=None)
@given(
    st.integers(0, 100),
    st.integers(1, 120),
    st.integers(1, 6),
    st.integers(1, 25),
    st.integers(1, 15),
)
def test_each_candidate_gets_one_id_and_what_is_started_is_waited_for(
    seed: int, genes: int, window: int, trials: int, patience: int
) -> None:
    strategy, workers = Adaptive(seed, genes), Workers(seed)
    found = list(search(strategy, workers, OBJECTIVE, trials, window, patience))
    assert [evaluation.id for evaluation in found] == list(range(len(found)))
    assert len({evaluation.genotype for evaluation in found}) == len(found)
    assert (
        workers.awaited
        == sorted(workers.ended)
        == list(range(len(workers.started)))
        == [evaluation.id for evaluation in found]
    )
    used = [evaluation.status is not Status.OVER_BUDGET for evaluation in found]
    assert sum(used) <= trials
    if sum(used) == trials:
        assert used[-1], "the search ends with the last trial"
    else:
        fresh = {
            evaluation.genotype for evaluation, counts in zip(found, used, strict=True) if counts
        }
        told = [proposal.genotype for proposal, _ in strategy.told]
        assert not any(
            genotype in fresh and genotype not in told[:-patience] for genotype in told[-patience:]
        )


def test_over_budget_uses_no_trial_but_failed_does() -> None:
    found = list(search(Scripted(range(69, 100)), Workers(), OBJECTIVE, trials=2))
    assert [evaluation.genotype for evaluation in found] == [(69,), (70,)]
    found = list(search(Scripted([80, 81, 13, 82, 83, 4, 5]), Workers(), OBJECTIVE, trials=2))
    assert [evaluation.status.value for evaluation in found] == ["OVER_BUDGET"] * 2 + ["FAILED"] + [
        "OVER_BUDGET"
    ] * 2 + ["OK"]


@pytest.mark.parametrize("window", [1, 4])
def test_what_is_proposed_again_is_told_from_memory_and_neither_evaluated_nor_yielded(
    window: int,
) -> None:
    strategy, workers = Scripted([5, 5, 80, 5, 80, 6, 6, 7]), Workers()
    found = list(search(strategy, workers, OBJECTIVE, 3, window))
    assert [evaluation.genotype for evaluation in found] == [(5,), (80,), (6,), (7,)]
    assert [proposal.genotype for proposal in workers.started] == [(5,), (80,), (6,), (7,)]
    assert [proposal.genotype for proposal, _ in strategy.told] == [
        (5,),
        (5,),
        (80,),
        (5,),
        (80,),
        (6,),
        (6,),
        (7,),
    ]
    for proposal, fitness in strategy.told:
        assert fitness == OBJECTIVE.fitness(measured(0, proposal))


def test_the_same_genotype_for_other_epochs_is_another_candidate() -> None:
    script = [Proposal((5,), epochs) for epochs in (1.0, None, 3.0, 1.0)]
    found = list(search(Scripted([*script, 6]), Workers(), OBJECTIVE, trials=4))
    assert [Proposal(evaluation.genotype, evaluation.epochs) for evaluation in found] == [
        *script[:3],
        Proposal((6,)),
    ]


@pytest.mark.parametrize("window", [1, 4])
def test_patience_ends_a_search_that_trains_nothing_new(window: int) -> None:
    for script, patience, count in (
        ([80, 81, 82], 3, 3),  # all over budget
        ([80], 1, 1),
        ([5], 10, 11),  # the space is exhausted
        ([5, 80], 10, 11),
        ([80, 81, 5, 80, 81, 82], 3, 6),  # a trial begins the count anew
        ([80, 81, 13, 80, 81, 82], 3, 6),
    ):
        strategy = Scripted(script)
        list(search(strategy, Workers(), OBJECTIVE, 100, window, patience))
        assert len(strategy.told) == count


@settings(deadline=None)
@given(
    st.integers(0, 100),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 10),
    st.integers(1, 10),
    st.sampled_from([30, 90, 1000]),
)
def test_a_longer_search_begins_with_the_proposals_and_results_of_a_shorter_one(
    seed: int, window: int, trials: int, more: int, genes: int
) -> None:
    short, long = Adaptive(seed, genes), Adaptive(seed, genes)
    first = list(search(short, Workers(1), OBJECTIVE, trials, window))
    second = list(search(long, Workers(2), OBJECTIVE, trials + more, window))
    assert long.asked[: len(short.asked)] == short.asked
    assert long.told[: len(short.told)] == short.told
    assert second[: len(first)] == first


def test_a_search_that_is_left_early_has_told_all_that_it_yielded() -> None:
    strategy = Scripted(range(50))
    found = list(islice(search(strategy, Workers(), OBJECTIVE, 40, 4), 7))
    assert [proposal.genotype for proposal, _ in strategy.told] == [
        evaluation.genotype for evaluation in found
    ]


def test_what_an_evaluation_raises_ends_the_search() -> None:
    def submit(id: int, proposal: Proposal) -> Pending:
        def wait() -> Evaluation:
            if id == 2:
                raise MemoryError(id)
            return measured(id, proposal)

        return wait

    strategy = Scripted(range(50))
    with pytest.raises(MemoryError):
        list(search(strategy, submit, OBJECTIVE, 40, 4))
    assert [proposal.genotype for proposal, _ in strategy.told] == [(0,), (1,)]


@pytest.mark.fault(50)
def test_arguments_below_1_are_refused_before_anything_is_asked() -> None:
    strategy = Scripted([1])
    starts: list[tuple[str, int, Callable[[int], list[Evaluation]]]] = [
        ("trials", 0, lambda value: list(search(strategy, Workers(), OBJECTIVE, value))),
        ("trials", -3, lambda value: list(search(strategy, Workers(), OBJECTIVE, value))),
        ("window", 0, lambda value: list(search(strategy, Workers(), OBJECTIVE, 1, value))),
        ("patience", 0, lambda value: list(search(strategy, Workers(), OBJECTIVE, 1, 1, value))),
    ]
    for name, value, start in starts:
        with pytest.raises(ValueError, match=f"{name} must be at least 1, but got {value}"):
            start(value)
    assert strategy.asked == []


def test_a_strategy_reports_numbers_only_if_it_has_a_report() -> None:
    class Chatty(Scripted):
        def report(self) -> dict[str, float]:
            return {"entropy": 1.0}

    assert isinstance(Chatty([1]), Reporting)
    assert not isinstance(Scripted([1]), Reporting)


def test_facts_are_handed_to_a_strategy_that_wants_them_before_it_is_asked() -> None:
    class Careful(Scripted):
        def inform(self, facts: Callable[[Genotype], Facts]) -> None:
            assert self.asked == []
            self.excess = facts((80,)).excess

    def facts(genotype: Genotype) -> Facts:
        return Facts({"size": float(genotype[0])}, OBJECTIVE.budget.excess({"size": genotype[0]}))

    careful = Careful([1])
    list(search(careful, Workers(), OBJECTIVE, 1, facts=facts))
    assert careful.excess == pytest.approx(80 / 70 - 1)
    assert isinstance(careful, Informed)
    assert len(list(search(Scripted([1]), Workers(), OBJECTIVE, 1, facts=facts))) == 1
