"""Neural architecture search for compact models: spaces, objectives, experiments and runs."""

import lazy_loader

__version__ = "0.1.0"

# Lazily, because the core of a search needs no torch, which experiments need.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
