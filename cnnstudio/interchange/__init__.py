"""Converts designs to Keras and PyTorch code, and code to designs."""
