"""Compressors: each applies choices of one kind to a network; functions do it without a search."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
