"""Layers as typed text: shorthand and search."""
