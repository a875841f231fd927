"""Checks and measurements before a run: memory, time, batch size and learning rate."""
