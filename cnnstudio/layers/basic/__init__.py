"""Layers of no larger family: dense, flatten, activation and the like."""
