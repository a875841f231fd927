"""Widgets that show an image."""
