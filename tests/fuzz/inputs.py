"""The inputs of the fuzzers: real files, of which one or a few are damaged.

Most inputs stay close to a real file, because a program rejects pure noise at its first line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from tests.fuzz.arrays import archives, tensors
from tests.fuzz.mutations import Draw, Files, Special, damaged_bytes, documents, logs
from tests.fuzz.texts import listings, notebooks, settings_files


@st.composite
def inputs(draw: Draw, originals: Mapping[str, bytes]) -> Files:
    """Some of the original files damaged, in one to three ways."""
    files: Files = {}
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 2, 3]))):
        name = draw(st.sampled_from(sorted(originals)))
        before = files.get(name, originals[name])
        if not isinstance(before, bytes):
            continue
        if draw(st.sampled_from([True] + [False] * 39)):
            kinds = ["missing", "folder", "pipe", "endless link", "broken link", "device"]
            files[name] = Special(draw(st.sampled_from(kinds)))
        elif draw(st.sampled_from([True] + [False] * 39)):
            files[name] = originals[draw(st.sampled_from(sorted(originals)))]
        else:
            files[name] = draw(_damaged(name, before, originals[name]))
    return files


def _damaged(name: str, data: bytes, original: bytes) -> st.SearchStrategy[bytes]:
    """A file as its kind allows it, and sometimes any bytes."""
    # What an earlier change left may be no document any more.
    by_kind: dict[str, Callable[[bytes], st.SearchStrategy[bytes]]] = {
        ".json": documents,
        ".jsonl": logs,
        ".npz": archives,
        ".safetensors": tensors,
        ".py": listings,
        ".ipynb": notebooks,
        ".ini": settings_files,
    }
    structured = by_kind.get("." + name.rpartition(".")[2])
    if structured is None:
        return damaged_bytes(data)
    usable = data if data == original or name.endswith((".jsonl", ".py", ".ini")) else original
    return st.integers(0, 3).flatmap(lambda number: structured(usable) if number else damaged_bytes(data))
