"""Safetensors files that are the same, byte for byte, each time."""

from __future__ import annotations

import json


def sorted_metadata(data: bytes) -> bytes:
    """The same file with its metadata by name: the library gives them another order each time.

    So the same weights are the same file, whichever format it was written for.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # The tensors begin at a multiple of 8 bytes.
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(data)[end:]))
