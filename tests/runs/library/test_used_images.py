"""Images that runs were trained on by their path."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.data.sources.folder_list import RegisteredSet, register_set
from cnnstudio.runs.library import used_images
from cnnstudio.runs.library.listing import RunListing
from cnnstudio.runs.library.used_images import unlisted_images
from tests.runs.library.listed import summary


def test_folders_and_tables_that_runs_used_and_that_are_not_in_the_list_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("new", "older", "listed", "t.csv", "x.png")
    new, older, listed, table, other = (tmp_path / name for name in names)
    for folder in (new, older, listed):
        folder.mkdir()
    for file in (table, other):
        file.write_text("file,label\n")
    register_set("listed", RegisteredSet(listed))
    used = [new, tmp_path / "gone", listed, table, new, other]
    runs = [summary(str(number), data=str(path)) for number, path in enumerate(used)]
    listing = RunListing((*runs, summary("built-in"), summary("relative", data="new")))
    monkeypatch.setattr(used_images, "list_summaries", lambda *_: listing)
    assert unlisted_images() == [new, table]
    assert unlisted_images(["cifar10", str(older)]) == [older, new, table]
