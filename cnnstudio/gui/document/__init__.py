"""The open design with its undo stack and file, and the window's settings."""
