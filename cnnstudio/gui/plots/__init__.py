"""Curves of runs over their epochs."""
