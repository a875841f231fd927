"""Exporting a trained model."""
