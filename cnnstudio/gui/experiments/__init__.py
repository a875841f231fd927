"""What is tried out on a run: suspected label errors, training again with corrections, the learning curve."""
