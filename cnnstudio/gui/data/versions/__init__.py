"""Comparing versions of a data set."""
