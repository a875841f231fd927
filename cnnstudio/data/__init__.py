"""Data sets: where images come from, what they are, and (in `batches`) how they reach the network.

Nothing but `batches` and what it does to images imports torch, so that the window can show what there is
before torch is loaded.
"""
