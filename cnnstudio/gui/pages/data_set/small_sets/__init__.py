"""The offer to start from a pretrained network where there are few images."""
