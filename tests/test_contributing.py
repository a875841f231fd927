"""The listings in CONTRIBUTING.md, put where it says, are a layer type, a data source and an exporter."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LISTING = re.compile(r"`((?:cnnstudio|resources)/\S+)`:\n\n```(?:python|xml)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the listings added, and nothing else changed."""
    folder = tmp_path_factory.mktemp("house")
    for part in ("cnnstudio", "resources", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    listings = LISTING.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert [Path(path).parent.name for path, _ in listings] == ["basic", "icons", "sources", "export"]
    for path, source in listings:
        assert not (folder / path).exists(), "the example has become real: take another"
        (folder / path).write_text(source, encoding="utf-8")
    return folder


def run(house: Path, *arguments: str) -> str:
    """What Python prints, started in the copy. Fails with all that it said where it fails."""
    finished = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


def test_the_layer_type_passes_the_contract_of_all_types(house: Path) -> None:
    said = run(house, "pytest", "-q", "-p", "no:cacheprovider", "tests/layers", "-k", "ChannelShuffle")
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert int(passed[1]) >= 5


def test_the_three_work_together(house: Path, tmp_path: Path) -> None:
    design = tmp_path / "added.cnn.json"
    layers = [
        {"type": "Conv2D", "filters": 8, "activation": "relu"},
        {"type": "ChannelShuffle", "groups": 4},
        {"type": "GlobalMaxPooling2D"},
        {"type": "Dense", "units": 2, "activation": "softmax"},
    ]
    head = {"format": "cnnstudio.design", "version": 1, "name": "Added", "input": [1, 16, 16]}
    design.write_text(json.dumps({**head, "layers": layers}))
    trained = tmp_path / "run"
    options = ["--data", "stripes", "--recipe", "lesson", "--epochs", "4", "--run", str(trained), "--json"]
    said = run(house, "cnnstudio", "train", str(design), *options)
    assert json.loads(said.splitlines()[-1])["test"]["accuracy"] > 0.9
    run(house, "cnnstudio", "export", str(trained), "--format", "pt2", "--out", str(tmp_path / "model"))
    assert (tmp_path / "model" / "model.pt2").is_file()
