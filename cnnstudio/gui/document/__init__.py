"""The open design: its undo stack, its file, and the settings of the window."""
