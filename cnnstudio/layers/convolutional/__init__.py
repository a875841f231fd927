"""Layers that convolve."""
