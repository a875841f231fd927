"""Widgets that show an image, and images as files."""
