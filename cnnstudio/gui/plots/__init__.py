"""Curves of loss and accuracy."""
