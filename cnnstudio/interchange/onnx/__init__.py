"""Reads ONNX files as designs with their weights. Needs numpy only; nothing in a file is ever run."""
