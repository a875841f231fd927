"""Decoded images on disk: writing them, caching them, mapping them into memory."""
