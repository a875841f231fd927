"""The list of commands, keys and mouse gestures."""
