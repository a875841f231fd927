"""Evaluates a listing from its syntax tree, without running it."""
