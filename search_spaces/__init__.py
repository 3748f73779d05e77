"""Search spaces: what may vary, and how a network is built from a choice of it."""
