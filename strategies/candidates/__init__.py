"""How candidates are drawn, varied, repaired and remembered."""
