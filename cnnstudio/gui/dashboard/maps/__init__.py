"""Feature maps as images."""
