"""What a run keeps of its epochs besides checkpoints, and what instruments show from it."""
