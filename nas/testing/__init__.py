"""Contracts that types cannot state, as checks for spaces, strategies, compressors and devices."""

import lazy_loader

# Lazily, because the check of a strategy needs no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
