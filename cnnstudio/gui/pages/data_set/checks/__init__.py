"""Checks of the data set that is looked at, run in the background."""
