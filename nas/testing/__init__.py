"""The contracts that types cannot state, as checks to run on one's own parts."""

from nas.testing.strategy import check_strategy

__all__ = ["check_strategy"]
