"""Run directories: running an experiment, its journal, its TensorBoard logs, and what it found as
files to ship.
"""
