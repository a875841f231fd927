"""What goes wrong while an ONNX file is read."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class OnnxError(UserError):
    """A file that cannot be read as a network at all; the message is a sentence without a final period."""


class NotExpressibleError(Exception):
    """One node that no layer here expresses; the message says why, to be read after the name of the node."""
