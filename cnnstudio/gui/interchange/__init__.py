"""Importing Keras and PyTorch code."""
