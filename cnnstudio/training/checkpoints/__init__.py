"""Saving and resuming runs; transferring weights to a changed design."""
