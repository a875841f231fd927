"""Devices, their memory, and torch's global settings."""
