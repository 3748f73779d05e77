"""Tabular benchmarks, which replace training by a query of a table of finished trainings."""
