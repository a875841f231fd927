"""Layers that regularize."""
