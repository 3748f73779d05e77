"""A search in TensorBoard: what of it is logged, and how it is laid out."""
