"""Trains networks and reports what happens as events. `recipe` and `events` do not need torch."""
