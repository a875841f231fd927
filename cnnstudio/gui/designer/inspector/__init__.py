"""What is known of the selected layer: parameters, code, receptive field."""
