"""Trains a network and says what happens. `recipe` and `events` do not need torch."""
