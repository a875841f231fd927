"""Names and messages from outside reach a terminal as text, never as commands to it."""

from __future__ import annotations

import argparse
import ast
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import cnnstudio.cli
from cnnstudio.cli.command import commands
from cnnstudio.cli.main import build_parser, main
from cnnstudio.core.files import read_json, write_json
from cnnstudio.core.formatting import clean_line, clean_text
from cnnstudio.core.logs import configure_logging
from cnnstudio.data.sources import find_source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_list import RegisteredSet, register_set
from cnnstudio.data.versions.relabeling import relabel
from tests.interchange.onnx.graphs import Graph

Output = pytest.CaptureFixture[str]

HOSTILE = "\x1b]0;TITLE\x07\x1b[31mRED\x9b5m\u202ekcab\u2066\u200f\u2028\x7f\r\b\nx"
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""C0, C1, and what changes the direction or the lines of other text."""


@dataclass(frozen=True)
class Stranger:
    """Files and folders from a stranger: their names, and all names in them, are hostile."""

    run: Path
    other: Path
    design: Path
    recipe: Path
    code: Path
    images: Path
    image: Path
    archive: Path
    onnx: Path
    weights: Path
    out: Path


@pytest.fixture
def stranger(trained: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stranger:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    found = Stranger(
        tmp_path / "home" / "runs" / f"run{HOSTILE}",
        tmp_path / f"other{HOSTILE}",
        tmp_path / f"design{HOSTILE}.cnn.json",
        tmp_path / f"recipe{HOSTILE}.json",
        tmp_path / f"code{HOSTILE}.py",
        tmp_path / f"images{HOSTILE}",
        tmp_path / f"image{HOSTILE}.png",
        tmp_path / f"archive{HOSTILE}.tar.gz",
        tmp_path / f"net{HOSTILE}.onnx",
        tmp_path / f"weights{HOSTILE}.safetensors",
        tmp_path / f"out{HOSTILE}",
    )
    _write_images(images, found)
    register_set(f"registered{HOSTILE}", RegisteredSet(found.images))
    for run in (found.run, found.other):
        _write_run(trained, run, found)
    design = read_json(found.run / "design.cnn.json")
    write_json(found.design, design)
    write_json(found.recipe, read_json(found.run / "recipe.json"))
    name = repr(HOSTILE)
    found.code.write_text(
        "from keras import Sequential, layers\n"
        f"model = Sequential([layers.Conv2D(4, 3, name={name}), layers.Flatten(), "
        f"layers.Dense(2, name={name}), layers.Mystery({name})])\nmodel.compile(optimizer={name})\n"
    )
    found.archive.write_bytes(b"no archive")
    graph = Graph(("N", 3, 4, 4))
    graph.add("Mystery", graph.conv("image", 3, 2), name=HOSTILE)
    found.onnx.write_bytes(graph.model(HOSTILE, f"{HOSTILE}2").SerializeToString())
    return found


def _write_images(images: Path, found: Stranger) -> None:
    for part in ("train", "test"):
        for folder in (images / part).iterdir():
            copy = found.images / part / f"{folder.name}{HOSTILE}"
            shutil.copytree(folder, copy)
            (copy / f"damaged{HOSTILE}.png").write_bytes(b"no image")
    shutil.copy(next(images.rglob("*.png")), found.image)


def _write_run(trained: Path, run: Path, found: Stranger) -> None:
    shutil.copytree(trained, run)
    metadata = read_json(run / "run.json")
    metadata |= dict.fromkeys(("name", "reason", "host", "status", "device_title"), HOSTILE)
    metadata |= {"status": "completed", "classes": [f"{name}{HOSTILE}" for name in metadata["classes"]]}
    metadata["data"] |= {"source": str(found.images), "title": HOSTILE}
    write_json(run / "run.json", metadata)
    design = read_json(run / "design.cnn.json")
    design["name"] = design["layers"][0]["name"] = HOSTILE
    write_json(run / "design.cnn.json", design)
    write_json(run / "recipe.json", read_json(run / "recipe.json") | {"name": HOSTILE})
    diagnosed = {"kind": "plateau", "epoch": 1.0, "message": HOSTILE, "advice": HOSTILE}
    with open(run / "events.jsonl", "a") as file:
        file.write(f"{json.dumps({'event': 'Diagnosed', **diagnosed})}\n")
        file.write(f"{json.dumps({'event': 'Warned', 'message': HOSTILE})}\n")


def _two_versions(found: Stranger) -> tuple[str, str]:
    """The ids of two versions of the images, between which all kinds of things have changed."""
    source = find_source(f"registered{HOSTILE}")
    assert isinstance(source, FileSource)
    before = source.load().version
    first, second, *others = sorted(
        source.relative(path) for path, _ in source.listing().train if HOSTILE not in Path(path).name
    )
    (source.folder / first).rename(source.folder / Path(first).parent / f"renamed{HOSTILE}.png")
    (source.folder / second).rename(source.folder / others[-1].replace(".png", f"{HOSTILE}.png"))
    relabel(source, {others[0]: source.listing().classes[-1]}, exclude=[others[1]])
    return before, source.load().version


TRAIN = ["DESIGN", "--data", "IMAGES", "--recipe", "RECIPE", "--epochs", "1", "--batch-size", "8"]
ON_CPU = ["--device", "cpu", "--threads", "1"]

CASES: dict[tuple[str, ...], list[list[str]]] = {
    ("adapt",): [["DESIGN", "--data", "IMAGES", "--out", "OUT"]],
    ("data", "add"): [["IMAGES"]],
    ("data", "check"): [[f"registered{HOSTILE}"], ["IMAGES"]],
    ("data", "clear"): [[]],
    ("data", "download"): [["cifar10", "--archive", "ARCHIVE"]],
    ("data", "info"): [["IMAGES"], [f"registered{HOSTILE}"], ["RUN"]],
    ("data", "label"): [[f"registered{HOSTILE}"], [f"registered{HOSTILE}", "--exclude", f"no file{HOSTILE}"]],
    ("data", "list"): [[]],
    ("data", "remove"): [[f"registered{HOSTILE}"], ["IMAGES"]],
    ("data", "versions"): [[f"registered{HOSTILE}"], [], ["--compare", "BEFORE", "AFTER"]],
    ("evaluate",): [["RUN", *ON_CPU], ["RUN", "--data", "IMAGES", "--split", "train", *ON_CPU]],
    ("export",): [
        ["RUN", "--format", "safetensors,pytorch", "--out", "OUT"],
        ["RUN", "--format", "safetensors", "--out", "IMAGE"],
    ],
    ("import",): [
        ["CODE", "--out", "OUT"],
        ["CODE", "--out", "OUT", "--recipe", "OUT"],
        ["ONNX", "--out", "OUT"],
        ["ONNX", "--out", "OUT", "--weights-out", "WEIGHTS", "--network", HOSTILE],
    ],
    ("inspect",): [
        ["RUN", "--instrument", "confusion", *ON_CPU],
        ["RUN", "--instrument", "mistakes", *ON_CPU],
        ["RUN", "--instrument", "embedding", *ON_CPU],
        ["RUN", "--instrument", "predictions", "--image", "IMAGE", *ON_CPU],
        ["RUN", "--instrument", "feature_maps", "--image", "IMAGE", "--out", "OUT", *ON_CPU],
        ["RUN", "--instrument", "filters", "--layer", HOSTILE, *ON_CPU],
    ],
    ("predict",): [
        ["RUN", "IMAGE", *ON_CPU],
        ["RUN", "ARCHIVE", *ON_CPU],
        ["RUN", "IMAGES", "--out", "OUT", *ON_CPU],
        ["RUN", "IMAGE", "--threshold", "1", "--nearest", "2", *ON_CPU],
    ],
    ("runs", "compare"): [["RUN", "OTHER"], ["RUN", "OTHER", "--align", "images"]],
    ("runs", "delete"): [["OTHER"], ["OTHER", "--permanently"]],
    ("runs", "label"): [["RUN", "--title", HOSTILE, "--tags", HOSTILE, "--note", HOSTILE]],
    ("runs", "learning-curve"): [["RUN"]],
    ("runs", "list"): [[]],
    ("runs", "retrain"): [["RUN"]],
    ("runs", "pack"): [["RUN", "--out", "OUT"]],
    ("runs", "show"): [["RUN"]],
    ("search",): [[*TRAIN[:-2], "--vary", "batch_size=4,8", "--trials", "1", "--run", "OUT", *ON_CPU]],
    ("summary",): [["DESIGN"], ["DESIGN", "--compare", "DESIGN", "--drawing", "OUT"]],
    ("template", "list"): [[]],
    ("template", "write"): [["lesson-32", "--out", "OUT"]],
    ("train",): [
        [*TRAIN, "--run", "OUT", *ON_CPU],
        [*TRAIN, "--run", "OUT", "--seeds", "2", *ON_CPU],
        [*TRAIN, "--print-launch", "--run", "OUT"],
        [*TRAIN, "--preflight", *ON_CPU],
        ["--resume", "--run", "RUN"],
        ["--resume", "--run", "RUN", "--epochs", "4"],
        ["DESIGN", "--continue-from", "RUN", "--epochs", "4", "--run", "OUT", *ON_CPU],
        [*TRAIN, "--weights", "RUN", "--freeze", f"no layer{HOSTILE}", "--run", "OUT", *ON_CPU],
        [*TRAIN, "--weights", "RUN", "--run", "OUT", *ON_CPU],
    ],
}
"""How each command prints names from files. Most of them succeed."""


def leaf_parsers() -> dict[tuple[str, ...], argparse.ArgumentParser]:
    """The commands and their subcommands, as the command line itself finds them, but for the window."""
    found: dict[tuple[str, ...], argparse.ArgumentParser] = {}
    for name in commands():
        parser = _subparsers(build_parser(name))[name]
        inner = _subparsers(parser)
        found |= {(name, each): leaf for each, leaf in inner.items()} if inner else {(name,): parser}
    del found["gui",]
    return found


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    choices = [each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return dict(choices[0]) if choices else {}


def wrong_inputs(command: tuple[str, ...]) -> Iterator[list[str]]:
    """The command with a hostile text for all of its arguments, and then for each of its options."""
    actions = leaf_parsers()[command]._actions
    positional = [HOSTILE for each in actions if not each.option_strings]
    options = [each for each in actions if each.option_strings and each.nargs != 0]
    required = [part for each in options if each.required for part in (each.option_strings[-1], HOSTILE)]
    yield [*positional, *required]
    for option in options:
        yield [*positional, *required, option.option_strings[-1], HOSTILE]
    yield [*positional, *required, HOSTILE]
    yield [*positional, *required, f"--{HOSTILE}"]


def check(arguments: Sequence[str], as_json: bool, capfd: pytest.CaptureFixture[str]) -> str:
    """Runs the command; returns what it printed."""
    main([*arguments, *(["--json"] if as_json else [])])
    out, err = capfd.readouterr()
    assert out + err
    assert not UNPRINTABLE.search(out + err), arguments
    if as_json:
        for line in out.splitlines():
            json.loads(line)
    return out + err


def test_every_command_is_tried() -> None:
    assert CASES.keys() == leaf_parsers().keys()


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
@pytest.mark.parametrize(
    ("command", "number"), [(name, number) for name, cases in CASES.items() for number in range(len(cases))]
)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_prints_what_a_terminal_acts_on(
    command: tuple[str, ...],
    number: int,
    as_json: bool,
    stranger: Stranger,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if command == ("search",):
        pytest.importorskip("optuna")
    places = {name.upper(): str(path) for name, path in vars(stranger).items()}
    if "BEFORE" in CASES[command][number]:
        places["BEFORE"], places["AFTER"] = _two_versions(stranger)
    arguments = [*command, *(places.get(each, each) for each in CASES[command][number])]
    check(arguments, as_json and "--print-launch" not in arguments, capfd)


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
@pytest.mark.parametrize("command", CASES)
def test_no_error_prints_what_a_terminal_acts_on(
    command: tuple[str, ...], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for arguments in wrong_inputs(command):
        assert "cnnstudio: " in check([*command, *arguments], False, capfd) or not arguments
    check([HOSTILE], False, capfd)


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_json_keeps_every_character(stranger: Stranger, capsys: Output) -> None:
    assert main(["runs", "show", str(stranger.run), "--json"]) == 0
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
    assert not UNPRINTABLE.search((tmp_path / "cnnstudio.log").read_text())


def test_every_command_prints_through_the_one_function() -> None:
    for path in Path(cnnstudio.cli.__path__[0]).rglob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        printing = [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]
        assert not printing or path.name == "output.py", path
