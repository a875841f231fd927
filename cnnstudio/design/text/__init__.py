"""Layers as typed text: shorthand and palette search."""
