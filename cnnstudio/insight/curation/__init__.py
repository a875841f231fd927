"""What a trained network says about the data that it was trained on."""
