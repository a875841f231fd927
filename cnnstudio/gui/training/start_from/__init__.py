"""Choosing the weights that a training starts from."""
