"""Trying the network of the run on show on images of the user's own."""
