"""Basic layers: dense, flatten, activation and others."""
