"""What cannot be written as C."""


class CodeError(ValueError):
    """A program that has no C form: the operation, the requirement, and what was found."""


def require(kept: bool, message: str) -> None:
    """Raises a CodeError unless the requirement is kept."""
    if not kept:
        raise CodeError(message)
