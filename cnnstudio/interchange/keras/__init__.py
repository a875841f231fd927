"""Keras code, in and out."""
