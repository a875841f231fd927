"""Run folders: written during training, and read by the same code at the same moment or years later."""
