"""Runs in the window, live or from their folders: record, history, status text, opening and resuming."""
