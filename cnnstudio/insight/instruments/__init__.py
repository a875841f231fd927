"""One instrument per file, each with the class of its readings. Importing them does not import torch."""
