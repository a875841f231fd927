"""Archives: downloading, verifying, unpacking."""
