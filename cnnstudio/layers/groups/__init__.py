"""Groups: layers that contain other layers."""
