"""Files are opened for reading in one place, which refuses pipes, devices and files that are too large."""

from __future__ import annotations

import ast
from pathlib import Path

import cnnstudio

PACKAGE = Path(cnnstudio.__file__).parent

READING_METHODS = {"read_text", "read_bytes", "fromfile", "loadtxt", "genfromtxt", "memmap", "safe_open"}
READING_METHODS |= {"load_file", "ZipFile", "is_zipfile", "QFile", "QImageReader", "mmap"}
READING_FUNCTIONS = {
    "os.open",
    "io.open",
    "np.load",
    "numpy.load",
    "torch.load",
    "Image.open",
    "tarfile.open",
}
READING_FUNCTIONS |= {"gzip.open", "lzma.open", "bz2.open", "codecs.open", "tokenize.open", "json.load"}
_LAST_NAMES = READING_METHODS | {name.rpartition(".")[2] for name in READING_FUNCTIONS} | {"open"}

GIVEN_A_FILE = {
    "core/zip_files.py": {"ZipFile"},
    "data/images/image_files.py": {"Image.open"},
    "data/sources/published/idx_files.py": {"gzip.open"},
    "data/storage/memmap.py": {"mmap"},
    "data/storage/writers.py": {"fromfile"},
    "data/transfer/archive.py": {"tarfile.open"},
    "data/transfer/zip_images.py": {"ZipFile"},
    "gui/document/pinned_images.py": {"Image.open"},
    "runs/archive/packing.py": {"ZipFile"},
    "runs/archive/unpacking.py": {"ZipFile"},
    "runs/snapshots.py": {"ZipFile"},
    # The bytes of one known SHA-256, and nothing else; see docs/decisions/0007-files-are-data.md.
    "training/pretrained/loading.py": {"torch.load"},
}
"""Calls that read a file which `open_regular` has opened, or write into memory."""

OF_THE_PROGRAM = {
    "cli/main.py": {"os.open"},  # the null device, to write to
    "core/files.py": {"os.open", "open"},
    "design/templates.py": {"read_text"},
    "export/verification.py": {"np.load"},  # written a moment before into a folder of our own
    "insight/corruptions.py": {"Image.open"},  # written into memory a moment before
    "gui/theme/theme.py": {"read_text"},
    "training/hardware/device_memory.py": {"read_text"},  # /proc
    "training/hardware/processor_load.py": {"read_text"},  # /proc
}
"""Calls that read what the program itself or the system provides."""


def reading_calls(source: str) -> set[str]:
    """The calls in a module that open a file for reading."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        last = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
        if last not in _LAST_NAMES:
            continue  # before the whole name, which takes most of the time
        name = ast.unparse(node.func)
        if name in READING_FUNCTIONS:
            found.add(name)
        elif last in READING_METHODS and name != "read_text":  # our own function, in interchange/source.py
            found.add(last)
        elif (name == "open" or (last == "open" and _has_file_mode(node))) and not _is_for_writing(node):
            found.add("open")
    return found


def _modes(node: ast.Call) -> list[str]:
    values = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
    constants = (value.value for value in values if isinstance(value, ast.Constant))
    return [value for value in constants if isinstance(value, str) and value and set(value) <= set("rwaxbt+")]


def _has_file_mode(node: ast.Call) -> bool:
    return bool(_modes(node))


def _is_for_writing(node: ast.Call) -> bool:
    return any(set(mode) & set("wax") for mode in _modes(node))


def test_only_one_module_opens_files_for_reading() -> None:
    unexpected, expected = {}, {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        allowed = GIVEN_A_FILE.get(name, set()) | OF_THE_PROGRAM.get(name, set())
        calls = reading_calls(path.read_text("utf-8"))
        if calls - allowed:
            unexpected[name] = calls - allowed
        if allowed - calls:
            expected[name] = allowed - calls
    assert not unexpected, "use cnnstudio.core.files.open_regular, read_regular or read_json"
    assert not expected, "an exception above is no longer needed"


def test_each_way_of_reading_is_noticed() -> None:
    for text in ("open(p)", "open(p, 'rb')", "p.open('rb')", "p.read_bytes()", "zipfile.ZipFile(p)"):
        assert reading_calls(text), text
    for text in ("np.load(p)", "Image.open(p)", "safetensors.torch.load_file(p)", "os.open(p, 0)"):
        assert reading_calls(text), text
    for text in ("open(p, 'wb')", "open(p, 'a+b')", "dialog.open()", "Run.open(folder)", "json.loads(text)"):
        assert not reading_calls(text), text
