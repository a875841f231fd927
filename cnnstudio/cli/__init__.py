"""The command line: everything but the window, with the same engine."""
