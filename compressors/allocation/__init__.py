"""Allocation: widths, bits, sparsity and ranks of a trained network chosen together under limits."""
