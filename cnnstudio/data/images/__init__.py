"""Image files: found, decoded, resized."""
