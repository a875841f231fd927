"""The one thread that computes with torch, and what passes between it and the window."""
