"""The refusal of a network."""


class UnsupportedError(ValueError):
    """A network, or an operation of one, that has no integer form."""
