"""Run folders: written while a network trains, read live or years later by the same code."""
