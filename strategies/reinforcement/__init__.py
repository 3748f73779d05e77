"""Reinforcement learning: REINFORCE, and the space as a Gymnasium environment."""
