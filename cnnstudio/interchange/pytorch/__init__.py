"""Reads and writes PyTorch code."""
