"""The data set that the Data page looks at."""
