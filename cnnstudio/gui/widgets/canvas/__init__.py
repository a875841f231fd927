"""What widgets that paint themselves have in common."""
