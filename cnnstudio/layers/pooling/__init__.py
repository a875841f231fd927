"""Layers that pool."""
