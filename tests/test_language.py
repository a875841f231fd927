"""One word for one thing: terms and phrases that were replaced do not come back."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

RETIRED = {
    # Terms, with what they are called instead.
    r"mend(?:s|ed|ing|able)?": "fix",
    r"pictures?": "image",
    r"gone on with|go(?:es)? on with|going on with": "resume, continue",
    r"taken up again|take up again": "resume",
    r"broken off": "interrupted",
    r"by heart": "memorize",
    r"on the way back|the way back": "backward pass",
    r"time line": "timeline",
    r"tool bar": "toolbar",
    # British spelling.
    r"\w*(?:colour|grey|behaviour|neighbour|favour)\w*": "color, gray, behavior, neighbor, favor",
    r"(?:de)?normalis\w+|regularis\w+|initialis\w+|recognis\w+|optimis\w+|minimis\w+|penalis\w+": "-ize",
    r"analyse[dr]?|analysing": "analyze",
    r"centred?|licence|labelled|learnt|spelt|catalogue|artefacts?": "center, license, labeled, learned",
    # Phrases that nobody would say.
    r"one knows|one (?:sees|looks|takes) (?:it|them)": "say what the user can do",
    r"is done so|does so too|is told so": "",
    r"no numbers? any ?more|are no numbers|is no number": "NaN or infinite",
    r"is (?:no|not) to be had|cannot be had|to be had": "unavailable",
    r"who(?:ever)? looks|wherever one": "",
    r"an? error of the program[’']s own": "unexpected error",
    r"is under way|are under way": "running, in progress",
    r"is heard of|was heard of": "stopped responding",
    r"(?:the )?tenfold": "10×",
    # The architecture is spoken of in its own terms.
    r"(?:top|ground|lowest|upper) floors?|floors below": "level",
    r"the (?:house|rooms?) of|house rules": "architecture, package",
}
"""Pattern of whole words -> what to say instead."""

PATTERN = re.compile("|".join(rf"(?P<t{number}>\b(?:{text})\b)" for number, text in enumerate(RETIRED)), re.I)
PERCENT = re.compile(r"[\d}] %(?=[\s.,;:)\]'\"’”…–]|$)")

ALLOWED = {
    # The name of an array in files of version 0.1, and of parts of other people's code.
    ("cnnstudio/runs/snapshots.py", "pictures"),
}
SOURCES = sorted((ROOT / "cnnstudio").rglob("*.py"))
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "resources").rglob("README.md"))


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """All comments and strings of a module with their lines, documentation included."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def retired(path: Path, pieces: Iterator[tuple[int, str]]) -> list[str]:
    place = path.relative_to(ROOT).as_posix()
    found = []
    for line, text in pieces:
        for match in PATTERN.finditer(text):
            instead = list(RETIRED.values())[int(str(match.lastgroup)[1:])]
            if (place, match[0]) not in ALLOWED:
                found.append(f"{place}:{line}: “{match[0]}”; say {instead or 'it plainly'}")
        if PERCENT.search(text):
            found.append(f"{place}:{line}: a space before the percent sign")
    return found


@pytest.mark.parametrize("package", sorted({path.relative_to(ROOT).parts[1] for path in SOURCES}))
def test_no_string_or_comment_uses_a_retired_word(package: str) -> None:
    files = [path for path in SOURCES if path.relative_to(ROOT).parts[1] == package]
    assert [line for path in files for line in retired(path, texts(path))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_uses_a_retired_word(page: Path) -> None:
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    assert retired(page, iter(lines)) == []


def test_no_resource_uses_a_retired_word() -> None:
    index = ROOT / "resources/templates/index.json"
    style = ROOT / "resources/style.qss"
    comments = re.findall(r"/\*.*?\*/", style.read_text(encoding="utf-8"), re.DOTALL)
    assert retired(index, ((0, text) for text in _strings(json.loads(index.read_text("utf-8"))))) == []
    assert retired(style, ((0, text) for text in comments)) == []


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from (text for each in value.values() for text in _strings(each))
        case list():
            yield from (text for each in value for text in _strings(each))


def test_names_in_the_code_are_american_too() -> None:
    words = re.compile(
        r"colour|grey|normalis|analyse(?!s)|centre(?!d)|mend(?!ation)|picture|neighbour|learnt", re.I
    )
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        if not words.search(re.sub("[Rr]ecommend|[Aa]mend", "", source)):
            continue  # reading the names takes much longer
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME:
                assert not words.search(re.sub("[Rr]ecommend|[Aa]mend", "", token.string)), (path, token)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Mend it", 1),
        ("recommended, amended, a tremendous gain", 0),
        ("the colours of a picture", 2),
        ("73.5 % of it", 1),
        ("73.5% of it", 0),
        ("Fix", 0),
    ],
)
def test_the_search_finds_what_it_should(text: str, count: int) -> None:
    assert len(retired(ROOT / "cnnstudio/x.py", iter([(1, text)]))) == count
