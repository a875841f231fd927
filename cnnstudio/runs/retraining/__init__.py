"""The same training again on corrected images, compared with the run before."""
