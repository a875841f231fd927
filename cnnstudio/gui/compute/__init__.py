"""The compute thread, the only one that computes with torch, and what passes between it and the window."""
