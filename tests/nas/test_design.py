from collections.abc import Callable

import pytest

from nas.space import Design


def test_a_design_reads_as_what_its_options_are() -> None:
    design = Design({"width": 8, "ratio": 0.5, "op": "conv", "drop": True, "depth": 2})
    assert (design.integer("width"), design.text("op"), design.flag("drop")) == (8, "conv", True)
    assert (design.number("ratio"), design.number("depth")) == (0.5, 2.0)
    assert isinstance(design.number("depth"), float)
    assert design == {"width": 8, "ratio": 0.5, "op": "conv", "drop": True, "depth": 2}
    assert repr(Design({"width": 8})) == "Design({'width': 8})"


@pytest.mark.parametrize(
    ("reader", "name", "message"),
    [
        (Design.integer, "ratio", "'ratio' must be a whole number, but is 0.5"),
        (Design.integer, "drop", "'drop' must be a whole number, but is True"),
        (Design.number, "op", "'op' must be a number, but is 'conv'"),
        (Design.number, "drop", "'drop' must be a number, but is True"),
        (Design.text, "width", "'width' must be a string, but is 8"),
        (Design.flag, "width", "'width' must be True or False, but is 8"),
    ],
)
def test_a_design_refuses_to_read_an_option_as_what_it_is_not(
    reader: Callable[[Design, str], object], name: str, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        reader(Design({"width": 8, "ratio": 0.5, "op": "conv", "drop": True}), name)


def test_a_design_is_frozen_and_keeps_no_link_to_what_it_was_made_of() -> None:
    options = {"width": 8}
    design = Design(options)
    options["width"] = 9
    assert design["width"] == 8
    with pytest.raises(TypeError, match="does not support item assignment"):
        design["width"] = 9  # type: ignore[index]
