"""Experiments: functions that return an Experiment, runnable as scripts."""
