"""Errors as text of bounded length."""

MOST_CHARACTERS = 2000


def described(error: BaseException) -> str:
    """The type and the text of an error; no more than `MOST_CHARACTERS` of it, because a journal keeps
    it for ever.
    """
    try:
        text = str(error)
    except Exception as another:  # a `__str__` of the user's
        text = f"a text that cannot be told, because of {type(another).__name__}"
    return f"{type(error).__name__}: {text}"[:MOST_CHARACTERS]
