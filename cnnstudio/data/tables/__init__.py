"""Tables of labels: CSV files that name an image and its class in each line."""
