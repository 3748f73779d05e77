from nas.board.hyper_parameters import FEW, HyperParameters
from nas.space import Choice, Choices

CONDITION = ("depth", frozenset({3}))
CHOICES = Choices(
    [
        Choice("", "depth", (2, 3)),
        *(Choice(f"l{n}", "bits", (2, 4, 8)) for n in range(3)),
        Choice("l3", "bits", (2, 4, 8), CONDITION),
        Choice("l3", "op", ("conv", "skip"), CONDITION),
        Choice("l3", "shift", (-1, 0), CONDITION),
    ]
)


def test_few_columns_that_sum_up_come_first() -> None:
    cells = HyperParameters(CHOICES)
    assert len(CHOICES) > FEW
    assert sorted(cells.columns())[0] == "(mean) bits", "as TensorBoard sorts them"
    design = {"depth": 2, "l0.bits": 2, "l1.bits": 4, "l2.bits": 6}
    assert cells.row(design)["(mean) bits"] == 4.0


def test_what_is_not_active_has_a_cell_that_is_none_of_the_options() -> None:
    row = HyperParameters(CHOICES).row({"depth": 2})
    assert (row["l3.bits"], row["l3.op"], row["l3.shift"]) == (0.0, "–", -2.0)
    assert row.keys() == HyperParameters(CHOICES).columns().keys()


def test_a_small_space_has_its_choices_alone() -> None:
    few = Choices([Choice(f"l{n}", "bits", (2, 4)) for n in range(FEW)])
    assert [*HyperParameters(few).columns()] == [choice.name for choice in few]
