"""Search spaces: the choices of an architecture, and how a network is built from them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
