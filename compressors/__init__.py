"""Compressors: how pruning ratios and bit-widths are applied to a network."""
