"""The core: what a search is."""
