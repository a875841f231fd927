"""The lists of file types in dialogs that open files, from what this installation can read."""

from __future__ import annotations

from collections.abc import Iterable

from cnnstudio.data.sources.folder_scan import readable_suffixes
from cnnstudio.data.tables.label_table import SUFFIXES as TABLE_SUFFIXES
from cnnstudio.design.file import SUFFIX as DESIGN_SUFFIX
from cnnstudio.interchange.source import CODE_SUFFIXES, ONNX_SUFFIX
from cnnstudio.runs.archive.unpacking import SUFFIX as ZIP_SUFFIX
from cnnstudio.runs.run import RUN_FILE

_ALL = "All files (*)"
_WEIGHTS_SUFFIX = ".safetensors"


def image_filters() -> str:
    """For a dialog that opens images."""
    return f"{_filter('Images', readable_suffixes())};;{_ALL}"


def openable_filters() -> str:
    """For File ▸ Open: everything that it understands, then kind by kind."""
    images = readable_suffixes()
    designs = (DESIGN_SUFFIX, ".json")
    everything = (
        *designs,
        ZIP_SUFFIX,
        *TABLE_SUFFIXES,
        *CODE_SUFFIXES,
        _WEIGHTS_SUFFIX,
        ONNX_SUFFIX,
        *images,
    )
    return ";;".join(
        (
            _filter("All supported files", everything),
            _filter("Designs", designs),
            f"Runs (*{ZIP_SUFFIX} {RUN_FILE})",
            _filter("Tables and zip files of images", (*TABLE_SUFFIXES, ZIP_SUFFIX)),
            _filter("Code and notebooks", CODE_SUFFIXES),
            _filter("ONNX files", (ONNX_SUFFIX,)),
            _filter("Weights", (_WEIGHTS_SUFFIX,)),
            _filter("Images", images),
            _ALL,
        )
    )


def _filter(title: str, suffixes: Iterable[str]) -> str:
    return f"{title} ({' '.join(f'*{suffix}' for suffix in suffixes)})"
