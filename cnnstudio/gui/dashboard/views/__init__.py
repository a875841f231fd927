"""The views: each shows what one instrument sees in the model, one file per view."""
