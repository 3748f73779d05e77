"""Run directories: running an experiment, its journal and TensorBoard logs, and exporting its
candidates.
"""
