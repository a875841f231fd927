"""Reads and writes Keras code."""
