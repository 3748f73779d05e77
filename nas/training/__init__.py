"""Training: recipes, the training loop, distillation, stopping rules, and weights on disk."""
