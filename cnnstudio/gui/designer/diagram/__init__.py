"""The network drawn as volumes."""
