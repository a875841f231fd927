"""Names and messages from outside reach a terminal as text, never as commands to it."""

from __future__ import annotations

import ast
import json
import logging
import shutil
from pathlib import Path

import pytest

import cnnstudio.cli
from cnnstudio.cli.main import main
from cnnstudio.core.files import read_json, write_json
from cnnstudio.core.formatting import clean_line, clean_text
from cnnstudio.core.logs import configure_logging

Output = pytest.CaptureFixture[str]

HOSTILE = "\x1b]0;TITLE\x07\x1b[31mRED\x9b5m\u202ekcab\u2028\x7f"
FORBIDDEN = set("\x1b\x07\x9b\u202e\u2028\x7f\r\b")


@pytest.fixture
def hostile(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run from a stranger, in the runs folder, with data of the same class names."""
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    run = tmp_path / "home" / "runs" / "stranger"
    shutil.copytree(trained, run)
    about = read_json(run / "run.json")
    about["name"] = about["reason"] = HOSTILE
    about["classes"] = [f"\x1b[31m{name}" for name in about["classes"]]
    write_json(run / "run.json", about)
    design = read_json(run / "design.cnn.json")
    design["name"] = HOSTILE
    design["layers"][0]["name"] = HOSTILE
    write_json(tmp_path / "stranger.cnn.json", design)
    recipe = read_json(run / "recipe.json")
    write_json(run / "recipe.json", recipe | {"name": HOSTILE})
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    lines.append(
        {"event": "Diagnosed", "kind": "plateau", "epoch": 1.0, "message": HOSTILE, "advice": HOSTILE}
    )
    (run / "events.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return run


COMMANDS = [
    ["runs", "list"],
    ["runs", "show", "RUN"],
    ["runs", "compare", "RUN", "RUN"],
    ["runs", "show", HOSTILE],
    ["evaluate", "RUN"],
    ["predict", "RUN", "IMAGE"],
    ["export", "RUN", "--format", "safetensors", "--out", "OUT"],
    ["summary", "DESIGN"],
    ["train", "DESIGN", "--data", "IMAGES", "--epochs", "1", "--batch-size", "8", "--run", "OUT"],
    ["train", "--resume", "--run", "RUN"],
    ["train", "DESIGN", "--data", HOSTILE],
    ["import", "OUT/missing\x1b[31m.py", "--out", "OUT"],
    ["data", "info", HOSTILE],
    ["template", "write", HOSTILE, "--out", "OUT"],
    [HOSTILE],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]).encode().hex()[:40])
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_prints_what_a_terminal_acts_on(
    command: list[str],
    as_json: bool,
    hostile: Path,
    images: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    places = {
        "RUN": hostile,
        "IMAGE": next(images.rglob("*.png")),
        "IMAGES": images,
        "OUT": tmp_path / "out",
        "DESIGN": tmp_path / "stranger.cnn.json",
    }
    arguments = [str(places.get(argument, argument)) for argument in command]
    main([*arguments, *(["--json"] if as_json and len(command) > 1 else [])])
    out, err = capfd.readouterr()
    assert out + err
    assert not FORBIDDEN & set(out + err)
    if as_json:
        for line in out.splitlines():
            json.loads(line)


def test_json_keeps_every_character(hostile: Path, capsys: Output) -> None:
    assert main(["runs", "show", str(hostile), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == HOSTILE


def test_printable_unicode_is_kept() -> None:
    text = "Zürich · 東京 ≤ 5 µs 👩\u200d🔬\n\tשלום"
    assert clean_text(text) == text
    assert clean_line("a\nb\tc") == "a b c"
    assert clean_text("\x1b[0m") == "�[0m"


def test_log_lines_are_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    configure_logging(on_screen=False)
    logging.getLogger("test").warning("%s", HOSTILE)
    for handler in root.handlers:
        handler.close()
    assert not FORBIDDEN & set((tmp_path / "cnnstudio.log").read_text())


def test_every_command_prints_through_the_one_function() -> None:
    for path in Path(cnnstudio.cli.__path__[0]).rglob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        printing = [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]
        assert not printing or path.name == "output.py", path
