"""What every package uses: errors, parameters, progress, formatting, files.

Needs nothing but the standard library and platformdirs.
"""
