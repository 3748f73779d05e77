"""Searches on tabular benchmarks: tables of networks that were all trained once."""
