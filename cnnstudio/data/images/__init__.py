"""Image files: reading, decoding, resizing."""
