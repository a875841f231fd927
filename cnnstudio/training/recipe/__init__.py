"""The settings of a training as a value: read, written, and changed while it runs."""
