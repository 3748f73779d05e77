"""Compressors: how choices of each kind are applied to a network, and the same as functions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
