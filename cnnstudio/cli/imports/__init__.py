"""What `cnnstudio import` does with files that are no code."""
