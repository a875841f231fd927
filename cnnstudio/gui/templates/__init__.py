"""The designs to start from, as a gallery."""
