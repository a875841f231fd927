"""What a user installs: the wheel with its resources, the pinned versions, the commands in README."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement

from cnnstudio.core.resources import resource, resources_folder

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_contains_every_resource_and_only_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    folder = ROOT / "resources"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files
    assert {f"cnnstudio/_resources/{name}" for name in files} <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"cnnstudio"}


def test_the_installed_program_reads_the_installed_resources(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    code = "from cnnstudio.core.resources import resource; print(resource('icons/conv2d.svg'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert Path(found).is_relative_to(target)
    assert Path(found).read_text() == (ROOT / "resources/icons/conv2d.svg").read_text()


def test_a_missing_resource_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"icons/no_such\.svg"):
        resource("icons/no_such.svg")


@pytest.mark.parametrize(
    "icon", sorted((resources_folder() / "icons").glob("*.svg")), ids=lambda icon: icon.stem
)
def test_an_icon_uses_the_grid_and_the_placeholder_color(icon: Path) -> None:
    drawing = ElementTree.fromstring(icon.read_text())
    if icon.stem == "cnnstudio":
        assert drawing.get("viewBox") == "0 0 64 64"
        return
    assert drawing.get("viewBox") == "0 0 17 17"
    colors = {part.get(use) for part in drawing.iter() for use in ("fill", "stroke")}
    assert colors <= {"#000", "none", None}
    assert "#000" in colors


def test_every_dependency_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    requirements = [Requirement(text) for text in [*project["dependencies"], *chain(*extras.values())]]
    lines = (ROOT / "packaging/constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    for requirement in requirements:
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pins[requirement.name]), requirement


def test_readme_shows_the_two_commands_first() -> None:
    sections = (ROOT / "README.md").read_text().split("\n## ")
    assert "](docs/images/" in sections[0]
    assert "\nmake run" in sections[1]
    assert "\nmake test" in sections[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on Windows")
def test_an_old_python_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.6 && exit 0\nexit 1\n')
    old.chmod(0o755)
    command = ["make", "run", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode != 0
    assert f"CNN Studio needs Python 3.11 or newer, but {old} is Python 3.9.6" in made.stderr
    assert not (tmp_path / "venv").exists()
