"""Strategies: which candidate to try next."""
