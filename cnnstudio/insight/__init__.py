"""Looks into a model: what its layers make of a picture, and how it answers. Gives numpy arrays."""
