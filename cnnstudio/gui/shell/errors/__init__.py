"""What happens to errors that nobody expected."""
