"""Comparing runs: two with each other, and several seeds of the same training."""
