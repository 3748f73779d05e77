from strategies.candidates.individual import DeapFitness, Individual


def test_dominance_is_no_component_worse_and_one_better() -> None:
    assert DeapFitness((0.5, 0.5)).dominates(DeapFitness((0.5, 0.4)))
    assert not DeapFitness((0.5, 0.5)).dominates(DeapFitness((0.5, 0.5)))
    assert not DeapFitness((0.5, 0.5)).dominates(DeapFitness((0.4, 0.6)))
    assert DeapFitness((-0.2, -0.2)).dominates(DeapFitness((-1.0, -1.0)))


def test_equality_and_hash_ignore_the_crowding_distance() -> None:
    values = DeapFitness((0.5,))
    crowded = DeapFitness((0.5,), crowding_dist=3.0)
    assert values == crowded
    assert len({values, crowded}) == 1


def test_the_score_is_the_first_component_and_its_sign_the_feasibility() -> None:
    assert Individual((0,), DeapFitness((0.7, 0.1))).score == 0.7
    assert Individual((0,), DeapFitness((0.0, 0.0))).feasible
    assert not Individual((0,), DeapFitness((-0.1, -0.1))).feasible
