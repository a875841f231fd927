"""The settings of a training as a value: files, and changes while it runs."""
