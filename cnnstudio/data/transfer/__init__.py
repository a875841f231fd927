"""Archives: downloaded, checked, unpacked."""
