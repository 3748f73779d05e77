from collections import Counter

import numpy as np

from strategies.bayesian.arms import Arms


def drawn(arms: Arms, pays: dict[str, float], times: int) -> Counter[str]:
    rng, counts = np.random.default_rng(1), Counter[str]()
    for _ in range(times):
        name = arms.draw(tuple(pays))
        counts[name] += 1
        arms.tell(name, bool(rng.random() < pays[name]))
    return counts


def test_what_pays_is_drawn_more_often_and_nothing_is_given_up_at_once() -> None:
    counts = drawn(
        Arms(("a", "b", "c"), np.random.default_rng(0)), {"a": 0.1, "b": 0.6, "c": 0.1}, 200
    )
    assert counts["b"] > 120
    assert min(counts.values()) > 5


def test_an_arm_that_stops_paying_is_left() -> None:
    arms = Arms(("a", "b"), np.random.default_rng(0))
    assert drawn(arms, {"a": 1.0, "b": 0.0}, 200)["a"] > 150
    assert drawn(arms, {"a": 0.0, "b": 0.5}, 200)["b"] > 150


def test_only_what_is_available_is_drawn() -> None:
    arms = Arms(("a", "b", "c"), np.random.default_rng(0))
    for _ in range(20):
        arms.tell("c", True)
    assert {arms.draw(("a", "b")) for _ in range(50)} == {"a", "b"}
