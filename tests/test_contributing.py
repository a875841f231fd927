"""The examples in CONTRIBUTING.md work: layer type, instrument, view, data source and exporter."""

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
TOGETHER = """
import contextlib, io, json, os, sys, time
from pathlib import Path
from PySide6.QtWidgets import QApplication
from cnnstudio.cli.main import main
from cnnstudio.gui.shell.app import application, create_window

design, run, model = sys.argv[1:]


def command(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(list(arguments)) == 0, printed.getvalue()
    return printed.getvalue()


options = ["--data", "stripes", "--recipe", "lesson", "--epochs", "4", "--run", run, "--json"]
trained = command("train", design, *options)
inspected = command("inspect", run, "--instrument", "weight_norms", "--json")
command("export", run, "--format", "pt2", "--out", model)
app = application()
window = create_window(Path(run))
window.show()
window.pages.turn_to(window.pages.EXPLORE)
window.pages.explore.view_panels[0].choose("viewWeightNorms")
view = window.pages.explore.view_panels[0].view
deadline = time.monotonic() + 60
while not view.table() and time.monotonic() < deadline:
    QApplication.processEvents()
    time.sleep(0.005)
shown = [[row[0] for row in view.table()], view.message]
print(json.dumps([json.loads(trained.splitlines()[-1]), json.loads(inspected), shown]), flush=True)
window.session.shutdown()
os._exit(0)  # as the program ends
"""
LISTING = re.compile(r"`((?:cnnstudio|resources)/\S+)`:\n\n```(?:python|xml)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the examples added."""
    folder = tmp_path_factory.mktemp("project")
    for part in ("cnnstudio", "resources", "tests/layers"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/conftest.py", "tests/threads.py", "tests/strategies.py"):
        shutil.copy(ROOT / file, folder / file)
    listings = LISTING.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    folders = [Path(path).parent.name for path, _ in listings]
    assert folders == ["basic", "icons", "instruments", "views", "sources", "export"]
    for path, source in listings:
        assert not (folder / path).exists(), "the example exists in the project: choose another one"
        (folder / path).write_text(source, encoding="utf-8")
    (folder / "together.py").write_text(TOGETHER, encoding="utf-8")
    return folder


def run(project: Path, *arguments: str, **environment: str) -> str:
    """Runs Python in the copy; returns its output, and fails with it if the exit status is not 0."""
    finished = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


def test_the_layer_type_passes_the_contract_tests(project: Path) -> None:
    # Those of the tests of layers that go through all types.
    contract = ["tests/layers/test_contract.py", "tests/layers/test_contract_torch.py"]
    output = run(project, "pytest", "-q", "-p", "no:cacheprovider", *contract, "-k", "SpaceToDepth")
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) >= 5


def test_layer_type_instrument_view_data_source_and_exporter_work_together(
    project: Path, tmp_path: Path
) -> None:
    design = tmp_path / "added.cnn.json"
    layers = [
        {"type": "Conv2D", "filters": 8, "activation": "relu"},
        {"type": "SpaceToDepth", "size": 2},
        {"type": "GlobalMaxPooling2D"},
        {"type": "Dense", "units": 2, "activation": "softmax"},
    ]
    head = {"format": "cnnstudio.design", "version": 1, "name": "Added", "input": [1, 16, 16]}
    design.write_text(json.dumps({**head, "layers": layers}))
    arguments = (str(design), str(tmp_path / "run"), str(tmp_path / "model"))
    output = run(project, "together", *arguments, QT_QPA_PLATFORM="offscreen")
    trained, inspected, shown = json.loads(output.splitlines()[-1])
    assert trained["test"]["accuracy"] > 0.9
    assert inspected["data"]["layers"] == ["conv2d_1", "dense_1"]
    assert shown == [["layer", "conv2d_1", "dense_1"], ""]
    assert (tmp_path / "model" / "model.pt2").is_file()
