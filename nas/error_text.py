"""Errors as text of bounded length."""

import traceback

MOST_CHARACTERS = 2000
MOST_OF_TRACEBACK = 6000


def described(error: BaseException) -> str:
    """The type and the text of an error; no more than `MOST_CHARACTERS` of it, because a journal keeps
    it for ever.
    """
    try:
        text = str(error)
    except Exception as another:  # a `__str__` of the user's
        text = f"a text that cannot be told, because of {type(another).__name__}"
    return f"{type(error).__name__}: {text}"[:MOST_CHARACTERS]


def traced(error: BaseException) -> str:
    """The traceback of an error; of a long one the beginning and the end, where it was raised, and no
    more than `MOST_OF_TRACEBACK` characters.
    """
    try:
        text = "".join(traceback.format_exception(error)).rstrip()
    except Exception as another:  # a text of the user's, as above
        return f"a traceback that cannot be told, because of {type(another).__name__}"
    if len(text) <= MOST_OF_TRACEBACK:
        return text
    cut, first = "\n  […]\n", MOST_OF_TRACEBACK // 4
    return text[:first] + cut + text[first + len(cut) - MOST_OF_TRACEBACK :]
