"""Looks into a model: what its layers make of an image, and how it answers. Gives numpy arrays."""
