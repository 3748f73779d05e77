"""Multi-fidelity: successive halving and Hyperband round any strategy."""
