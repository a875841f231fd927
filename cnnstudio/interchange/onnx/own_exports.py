"""How the program's own exports are told from other ONNX files."""

from __future__ import annotations

PRODUCER = "CNN Studio"
"""What they say that they are written by."""
FEATURES = "features"
"""Their output that is no scores."""
