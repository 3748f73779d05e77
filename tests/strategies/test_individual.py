from strategies.individual import Individual, Values


def test_dominance_is_nowhere_worse_and_somewhere_better() -> None:
    assert Values((0.5, 0.5)).dominates(Values((0.5, 0.4)))
    assert not Values((0.5, 0.5)).dominates(Values((0.5, 0.5)))
    assert not Values((0.5, 0.5)).dominates(Values((0.4, 0.6)))
    assert Values((-0.2, -0.2)).dominates(Values((-1.0, -1.0)))


def test_equal_values_are_one_key_whatever_their_crowding() -> None:
    values = Values((0.5,))
    crowded = Values((0.5,), crowding_dist=3.0)
    assert values == crowded
    assert len({values, crowded}) == 1


def test_the_score_is_the_first_component() -> None:
    assert Individual((0,), Values((0.7, 0.1))).score == 0.7
