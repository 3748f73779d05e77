import pytest

from nas.space import Choice, Choices, Genotype
from strategies.candidates.proposed import Proposed

CHOICES = Choices([Choice("", "width", (8, 16, 32))])


def test_a_repeat_is_returned_after_a_bounded_number_of_redraws() -> None:
    stream = iter([(0,), (0,), (1,), (0,), (0,), (1,), (2,)])
    proposed = Proposed(CHOICES, redraws=2)
    assert [proposed.draw_new(lambda: next(stream)) for _ in range(3)] == [(0,), (1,), (1,)]
    assert list(stream) == [(2,)]


def test_an_exhausted_space_is_not_redrawn_from() -> None:
    proposed = Proposed(CHOICES, redraws=1000)
    for gene in range(3):
        assert proposed.draw_new(lambda gene=gene: (gene,)) == (gene,)  # type: ignore[misc]
    drawn = 0

    def sample() -> Genotype:
        nonlocal drawn
        drawn += 1
        return (0,)

    assert proposed.draw_new(sample) == (0,)
    assert drawn == 1


def test_genotypes_added_from_elsewhere_are_redrawn() -> None:
    proposed = Proposed(CHOICES, redraws=1)
    assert (1,) not in proposed
    proposed.add((1,))
    assert (1,) in proposed
    stream = iter([(1,), (2,)])
    assert proposed.draw_new(lambda: next(stream)) == (2,)


def test_redraws_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="redraws must be 0 or more, but got -1"):
        Proposed(CHOICES, redraws=-1)
