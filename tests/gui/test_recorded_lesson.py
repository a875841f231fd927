"""The main workflow on a virtual screen, with a real drag from the palette into the list."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("recorded_lesson.py")


@pytest.mark.timeout(400)
def test_the_lesson_is_built_trained_and_exported_by_mouse_and_keyboard(
    screen: dict[str, str], home: Path, tmp_path: Path
) -> None:
    images = Path(os.environ.get("CNNSTUDIO_IMAGES", tmp_path))
    exported = tmp_path / "exported"
    exported.mkdir()
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), str(exported), str(images)],
        env={**os.environ, **screen, "CNNSTUDIO_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=390,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    observed = json.loads(done.stdout.splitlines()[-1])
    assert observed["problem"] == (
        "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it"
    )
    assert 0 < observed["points"][0] < observed["points"][1] <= observed["steps"]
    assert observed["maps_moved"]
    # As many as were compared in a few seconds.
    assert re.fullmatch(r"✓ Verified: ([\d,]+) of \1 images agree", observed["export"])
    assert list((Path(observed["run"]) / "checkpoints").glob("*.safetensors"))
    assert list(exported.glob("*.onnx"))
