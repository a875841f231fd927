"""Taking a trained model away."""
