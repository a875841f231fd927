"""What can be seen in a model, as numpy arrays: the outputs of its layers, and its predictions."""
