"""Search spaces: what may vary, and how a network is built from a choice of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
