"""Data sets: the sources of images, the images as arrays, and (in `batches`) how they reach the network.

Only `batches` and the augmentation import torch: the window can list data sets before torch is loaded.
"""
