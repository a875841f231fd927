"""Evaluates a listing from its syntax tree. Nothing of it is run."""
