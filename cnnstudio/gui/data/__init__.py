"""Data sets: getting them, adding one's own, choosing one."""
