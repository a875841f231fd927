"""Tables, JSON and the status line that commands print."""

from __future__ import annotations

import io
import json

import pytest

from cnnstudio.cli.output import LiveLine, bar, print_json, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_aligns_numbers_right_and_text_left() -> None:
    assert table(["Name", "Count"], [["a", "1"], ["longer", "1,000"]], right=(1,)).splitlines() == [
        "Name    Count",
        "─────────────",
        "a           1",
        "longer  1,000",
    ]


def test_a_bar_keeps_its_width() -> None:
    assert {len(bar(share)) for share in (-1.0, 0.0, 0.5, 1.0, 7.0)} == {24}


def test_json_has_null_for_nan_and_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": float("nan"), "losses": (1.0, float("inf")), "title": "3 × 3"})
    assert json.loads(capsys.readouterr().out) == {"loss": None, "losses": [1.0, None], "title": "3 × 3"}


def test_the_live_line_is_shown_on_terminals_only() -> None:
    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        line = LiveLine(stream)
        line.show("41 of 170 MB")
        line.clear()
        line.clear()
    assert file.getvalue() == ""
    assert terminal.getvalue() == "\r\x1b[K41 of 170 MB\r\x1b[K"


def test_the_live_line_is_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    LiveLine(terminal).show("x" * 100)
    assert terminal.getvalue() == "\r\x1b[K" + "x" * 19
