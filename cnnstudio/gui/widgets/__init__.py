"""Small parts that several panels of the window use."""
