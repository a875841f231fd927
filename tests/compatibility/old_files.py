"""Files that version 0.1 wrote, put where the present program finds them.

What is worked out here of paths (the names of decoded copies, the keys of dismissed advice) is part of the
format: it stands here as 0.1 did it, and is not taken from the program.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

VERSION_0_1 = Path(__file__).resolve().parent / "version_0_1"
OLD_ROOT = "/home/user"
"""Where the files lay when they were written."""
IMAGE_TIME = 1_700_000_000_000_000_000
"""When all images were changed last, in nanoseconds."""


def put_old_files(root: Path) -> Path:
    """Copies all of them to `root` and gives the home folder among them, `root / "home"`."""
    shutil.copytree(VERSION_0_1, root, dirs_exist_ok=True)
    home = root / "home"
    for path in image_paths(root):
        os.utime(path, ns=(IMAGE_TIME, IMAGE_TIME))
    _rewrite(home / "datasets" / "folders.json", OLD_ROOT, root.as_posix())
    _rewrite(home / "window.ini", OLD_ROOT, root.as_posix())
    design = "designs/linear.cnn.json"
    _rewrite(home / "window.ini", advice_key(f"{OLD_ROOT}/{design}"), advice_key(str(root / design)))
    _move_decoded(root)
    return home


def image_paths(root: Path) -> list[Path]:
    """Training images first, class by class."""
    return [
        path
        for part in ("train", "test")
        for name in ("bright", "dark")
        for path in sorted((root / "brightness" / part / name).iterdir())
    ]


def decoded_place(folder: str) -> str:
    """The folder below `datasets/decoded` for the images of a folder."""
    return f"folder-{_sha256(os.fsencode(folder))[:12]}"


def decoded_entry(root: Path, shown_as: str) -> str:
    """The folder in it: it tells by names, sizes and times of all images whether any has changed."""
    digest = hashlib.sha256(json.dumps([2, "brightness", 0, 32, ["bright", "dark"]]).encode())
    for path in image_paths(root):
        label = int(path.parent.name == "dark")
        place = os.path.join(shown_as, path.relative_to(root))
        digest.update(os.fsencode(f"{place}\0{label}\0{path.stat().st_size}\0{IMAGE_TIME}\0"))
    return _sha256(json.dumps([1, digest.hexdigest()]).encode())[:32]


def advice_key(design: str) -> str:
    """The key below `dismissed_advice` for a design."""
    return _sha256(design.encode())[:16]


def _move_decoded(root: Path) -> None:
    """Gives the decoded copy the name that it would have for the images at `root`."""
    decoded = root / "home" / "datasets" / "decoded"
    old = decoded / decoded_place(f"{OLD_ROOT}/brightness") / decoded_entry(root, OLD_ROOT)
    place = decoded / decoded_place(str(root / "brightness"))
    shutil.copytree(old.parent, place)
    shutil.rmtree(old.parent)
    entry = (place / old.name).rename(place / decoded_entry(root, str(root)))
    about = json.loads((entry / "about.json").read_bytes())
    for name, (_, time) in about["files"].items():
        os.utime(entry / name, ns=(time, time))
    del about["sha256"]
    about["key"] = entry.name
    about["sha256"] = _sha256(json.dumps(about, sort_keys=True).encode())
    (entry / "about.json").write_text(json.dumps(about))


def _rewrite(path: Path, old: str, new: str) -> None:
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode()))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
