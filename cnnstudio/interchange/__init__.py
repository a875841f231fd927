"""Designs as other people's code."""
