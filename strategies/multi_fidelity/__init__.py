"""Multi-fidelity wrappers of a strategy: successive halving and Hyperband."""
