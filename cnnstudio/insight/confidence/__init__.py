"""How sure a network is, and when it should say that it is not: calibrated confidence and similar images."""
