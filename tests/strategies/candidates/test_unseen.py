import pytest

from nas.space import Choice, Choices, Genotype
from strategies.candidates.unseen import Unseen

CHOICES = Choices([Choice("", "width", (8, 16, 32))])


def test_a_repeat_is_redrawn_only_so_often_and_then_handed_out() -> None:
    stream = iter([(0,), (0,), (1,), (0,), (0,), (1,), (2,)])
    unseen = Unseen(CHOICES, redraws=2)
    assert [unseen.draw(lambda: next(stream)) for _ in range(3)] == [(0,), (1,), (1,)]
    assert list(stream) == [(2,)]


def test_no_redraw_is_wasted_on_an_exhausted_space() -> None:
    unseen = Unseen(CHOICES, redraws=1000)
    for gene in range(3):
        assert unseen.draw(lambda gene=gene: (gene,)) == (gene,)  # type: ignore[misc]
    drawn = 0

    def propose() -> Genotype:
        nonlocal drawn
        drawn += 1
        return (0,)

    assert unseen.draw(propose) == (0,)
    assert drawn == 1


def test_what_was_handed_out_elsewhere_counts_too() -> None:
    unseen = Unseen(CHOICES, redraws=1)
    assert (1,) not in unseen
    unseen.add((1,))
    assert (1,) in unseen
    stream = iter([(1,), (2,)])
    assert unseen.draw(lambda: next(stream)) == (2,)


def test_redraws_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="redraws must be 0 or more, but got -1"):
        Unseen(CHOICES, redraws=-1)
