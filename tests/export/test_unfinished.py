"""What an export leaves behind if the program ends in the middle of it."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.export.base import _staging_folder, discard_unfinished


def test_a_program_that_ends_during_an_export_leaves_no_temporary_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with _staging_folder(tmp_path) as staging:
        (staging / "model.onnx").write_bytes(b"half")

        discard_unfinished()

        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
