"""Runs that were opened from their folders."""
