"""Strategies: which candidate to try next."""

import lazy_loader

# Lazily, because each needs its own libraries: torch for REINFORCE, Optuna for Tpe.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
