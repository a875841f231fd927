"""What is measured before a run: time, memory, batch size and learning rate."""
