"""Checks of a data set before a training: duplicates, bad images, and classes that give themselves away."""
