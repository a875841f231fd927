"""What the curves of a run consist of: points, their trend, marks, and the runs laid over them."""
