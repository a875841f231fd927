"""What goes wrong while an ONNX file is read."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class OnnxError(UserError):
    """A file that cannot be read as a network at all; the message is a sentence without a final period."""


class SizeNeededError(OnnxError):
    """A file whose input takes images of any size: one has to be chosen."""


class NotExpressibleError(Exception):
    """One node that no layer here expresses; the message says why, to be read after the name of the node."""
