"""The command line checks the display before Qt does, because Qt would abort. Needs Qt's plugins."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from cnnstudio.cli.display import require_display
from cnnstudio.cli.main import main

Output = pytest.CaptureFixture[str]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a display can be missing only on Linux")
@pytest.mark.parametrize(
    ("platform", "display", "wayland", "expected"),
    [
        ("", "", "", "there is no display"),
        ("", ":987", "", "the display :987 does not respond"),
        ("", "", "wayland-left-over", "there is no display"),
        ("xcb", ":987", "", "the display :987 does not respond"),
        ("wayland", ":987", "wayland-left-over", "no Wayland display responds"),
        ("wayland-egl;xcb", ":987", "", "the display :987 does not respond"),
        ("xbc", ":987", "", "QT_QPA_PLATFORM is “xbc”"),
    ],
)
def test_without_a_display_the_error_is_one_sentence(
    platform: str, display: str, wayland: str, expected: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH", "WAYLAND_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("WAYLAND_DISPLAY", wayland)
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert expected in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a display can be missing only on Linux")
@pytest.mark.parametrize("platform", ["offscreen", "minimal", "vnc:port=5987", "xbc;offscreen"])
def test_offscreen_platforms_need_no_display(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    monkeypatch.setenv("DISPLAY", ":987")
    require_display()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Wayland exists only on Linux")
def test_a_responding_wayland_display_is_sufficient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    monkeypatch.setenv("QT_QPA_PLATFORM", "")
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", ".")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
    with socket.socket(socket.AF_UNIX) as compositor:
        compositor.bind("wayland-7")
        compositor.listen()
        require_display()
