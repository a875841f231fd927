"""The layer types to drag from."""
