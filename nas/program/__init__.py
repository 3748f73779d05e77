"""The integer program: what a trained network computes, in integers only."""

import lazy_loader

# Lazily, because a program is read and written without torch, which only running it needs.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
