"""Search for better settings: what is varied, how values are proposed, and the folder that stores it all."""
