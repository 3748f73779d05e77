from nas.error_text import MOST_OF_TRACEBACK, traced


def deep(depth: int) -> None:
    if depth:
        return deep(depth - 1) if depth % 2 else also_deep(depth - 1)
    raise ValueError("at the bottom")


def also_deep(depth: int) -> None:
    deep(depth)


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    try:
        deep(400)
    except ValueError as error:
        text = traced(error)
    assert len(text) == MOST_OF_TRACEBACK
    assert text.startswith("Traceback (most recent call last):\n")
    assert "\n  […]\n" in text
    assert text.endswith("ValueError: at the bottom")


def test_an_error_that_cannot_be_told_has_a_text_all_the_same() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "SilentError" in traced(SilentError())
