"""Draws docs/images/architecture.svg: the packages, their levels and what imports what, read from the source.

python docs/make_architecture.py
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.import_graph import Graph, import_graph  # noqa: E402  # found by the path above

DRAWING = ROOT / "docs/images/architecture.svg"

_WIDTH, _GAP, _TITLE, _LINE, _PADDING = 1000, 28, 17, 15, 12
_FONT = "font-family='system-ui, sans-serif'"
_PER_LINE = 120
"""Characters of sub-packages that fit side by side in the widest box."""

Packages = Mapping[str, frozenset[str]]
"""Package -> packages that it imports."""


def packages(graph: Graph) -> Packages:
    """The imports between the packages directly below `cnnstudio`; single modules there are left out."""
    names = {module.split(".")[1] for module in graph if module.count(".") > 1}
    found: dict[str, set[str]] = {name: set() for name in names}
    for module, targets in graph.items():
        package = _package(module)
        if package in names:
            found[package] |= {_package(target) for target in targets} & names - {package}
    # The command line opens the window with one import, which is no dependency of its commands.
    found["cli"].discard("gui")
    return {name: frozenset(targets) for name, targets in found.items()}


def _package(module: str) -> str:
    return [*module.split("."), ""][1]


def levels() -> list[list[str]]:
    """The packages from top to bottom, as the import rules in pyproject.toml order them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (rule,) = (contract for contract in contracts if contract["id"] == "levels")
    return [[name.strip().removeprefix("cnnstudio.") for name in row.split("|")] for row in rule["layers"]]


def parts(graph: Graph, package: str) -> list[str]:
    """The names of what is directly in a package: its sub-packages, or its modules where it has none."""
    prefix = f"cnnstudio.{package}."
    inside = [module.removeprefix(prefix) for module in graph if module.startswith(prefix)]
    folders = {name.partition(".")[0] for name in inside if "." in name}
    return sorted(folders if len(folders) > 1 else {name.partition(".")[0] for name in inside})


def svg(graph: Graph) -> str:
    """The drawing: one row of boxes per level; each box says what is in the package and what it imports."""
    imports = packages(graph)
    order = [name for row in levels() for name in row]
    y, body = float(_GAP), []
    for row in levels():
        width = (_WIDTH - 2 * _GAP - (len(row) - 1) * _GAP) / len(row)
        fitting = _PER_LINE // len(row)
        contents = [_wrapped(parts(graph, name), fitting) for name in row]
        targets = [_wrapped(_targets(imports[name], order), fitting) for name in row]
        lines = max(map(len, contents)) + max(map(len, targets))
        height = 2 * _PADDING + _TITLE + _LINE * lines
        for place, name in enumerate(row):
            box = _GAP + place * (width + _GAP), y, width, height
            body.append(_box(name, contents[place], targets[place], *box))
        y += height
        if row != levels()[-1]:
            body.append(_arrow(y))
            y += _GAP
    y += _GAP
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{y:.0f}' "
            f"viewBox='0 0 {_WIDTH} {y:.0f}' {_FONT}>",
            "<defs><marker id='end' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' markerHeight='8' "
            "orient='auto'><path d='M0 0L8 4L0 8z' fill='#566070'/></marker></defs>",
            f"<rect width='{_WIDTH}' height='{y:.0f}' fill='#F4F5F7'/>",
            *body,
            "</svg>\n",
        ]
    )


def _targets(imported: frozenset[str], order: Sequence[str]) -> list[str]:
    first, *others = sorted(imported, key=order.index) or ["nothing of the program"]
    return [f"imports {first}", *others]


def _wrapped(names: Sequence[str], most: int) -> list[str]:
    lines = [""]
    for name in names:
        longer = f"{lines[-1]} · {name}" if lines[-1] else name
        if len(longer) > most and lines[-1]:
            lines.append(name)
        else:
            lines[-1] = longer
    return lines


def _box(
    name: str,
    contents: Sequence[str],
    imports: Sequence[str],
    x: float,
    y: float,
    width: float,
    height: float,
) -> str:
    left, top = x + _PADDING, y + _PADDING
    text = [_text(left, top + 12, name, 14, "#1B1F24", "font-weight='600' ")]
    text += [
        _text(left, top + _TITLE + _LINE * number - 3, line, 12, "#566070")
        for number, line in enumerate(contents, start=1)
    ]
    text += [
        _text(left, y + height - _PADDING - 1 - _LINE * number, line, 11, "#2F55D4")
        for number, line in enumerate(reversed(imports))
    ]
    box = f"<rect x='{x:.0f}' y='{y:.0f}' width='{width:.0f}' height='{height:.0f}' "
    return box + "rx='8' fill='#FFFFFF' stroke='#DDE1E7'/>" + "".join(text)


def _text(x: float, y: float, text: str, size: int, color: str, more: str = "") -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' font-size='{size}' {more}fill='{color}'>{escape(text)}</text>"


def _arrow(y: float) -> str:
    """From a level to the one below."""
    x = _WIDTH / 2
    return (
        f"<line x1='{x:.0f}' y1='{y + 4:.0f}' x2='{x:.0f}' y2='{y + _GAP - 4:.0f}' "
        "stroke='#566070' stroke-width='1.4' marker-end='url(#end)'/>"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DRAWING)
    parser.parse_args().out.write_text(svg(import_graph(ROOT)), encoding="utf-8")


if __name__ == "__main__":
    main()
