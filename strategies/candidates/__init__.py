"""How strategies sample, vary, repair and deduplicate candidates."""
