"""Optimizers, learning rate schedules, weight averaging and penalties."""
