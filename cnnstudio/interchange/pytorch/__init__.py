"""PyTorch code, in and out."""
