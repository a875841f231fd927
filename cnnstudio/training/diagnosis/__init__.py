"""What goes wrong in a training, and what to try."""
