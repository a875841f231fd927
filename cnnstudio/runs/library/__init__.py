"""The user's runs as a table: each run in one line, labeled, sorted, filtered and grouped."""
