"""docs/architecture.md and its diagram describe the program as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.make_architecture import DRAWING, levels, packages, svg
from tests.import_graph import import_graph

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_diagram_is_up_to_date() -> None:
    drawn = svg(import_graph(ROOT))
    assert DRAWING.read_text(encoding="utf-8") == drawn, "run python docs/make_architecture.py"


def test_every_package_has_a_level_and_a_line_on_the_page() -> None:
    names = set(packages(import_graph(ROOT)))
    assert {name for row in levels() for name in row} == names
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == names


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:cnnstudio|tests)/[\w/]+\.py)`", PAGE))))
def test_every_file_named_on_the_page_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def test_every_decision_is_listed_and_has_three_sections() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))
    for name in listed:
        text = (folder / name).read_text(encoding="utf-8")
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Price"]
