"""Comparing two designs."""
