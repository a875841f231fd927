"""Creates the images of the documentation with the real window: `make screenshots`.

    python docs/make_images.py [--folder FOLDER] [--size 1280 720] [--schemes dark] [--data NAME] [--all]

Trains the lesson's network on the built-in data set, or on another one, for a minute or two. Works with and
without a display. With `--all`, another folder and other sizes, it is also a look at all pages.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from cnnstudio.gui.shell.main_window import MainWindow

_THREE_ERRORS = """{
"format": "cnnstudio.design", "version": 1, "name": "Three errors", "input": [3, 32, 32],
"layers": [
  {"type": "Conv2D", "filters": 32, "activation": "relu"},
  {"type": "MaxPooling2D"},
  {"type": "Residual", "layers": [
    {"type": "Conv2D", "filters": 64, "padding": "same"},
    {"type": "BatchNormalization"}
  ]},
  {"type": "Conv2D", "filters": 64, "groups": 5},
  {"type": "MaxPooling2D"},
  {"type": "Dense", "units": 128, "activation": "relu"},
  {"type": "Dense", "units": 10, "activation": "softmax"}
]}"""
DOCUMENTED = {"window", "explore", "mistake", "runs", "add-images", "review", "locks", "start-from"}
"""The images that README and the guide show."""
EPOCHS = 5
"""The completed epochs when the images of the training are taken."""


def _many_layers(count: int = 29) -> str:
    """A design of twice as many layers, and two more, with a long name."""
    pair = '{"type": "Conv2D", "filters": 32, "padding": "same"}, {"type": "Activation"}, '
    end = '{"type": "Flatten"}, {"type": "Dense", "units": 10, "activation": "softmax"}'
    name = "A name that is much longer than the place that there is for it"
    head = f'"format": "cnnstudio.design", "version": 1, "name": "{name}", "input": [3, 32, 32]'
    return f'{{{head}, "layers": [{pair * count}{end}]}}'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--schemes", nargs="+", choices=("light", "dark"), default=("light",))
    parser.add_argument("--data", default="shapes", help="a data set or a folder of images")
    parser.add_argument("--all", action="store_true", help="also what the documentation does not show")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if "DISPLAY" not in os.environ:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    data = str(Path(options.data).resolve()) if os.sep in options.data else options.data
    with tempfile.TemporaryDirectory() as home:
        # Keeps the user's own designs, runs and settings out of the images.
        os.environ["CNNSTUDIO_HOME"] = home
        from cnnstudio.gui.shell.app import create_window

        window = create_window()
        window.show()
        window.resize(*options.size)
        Images(window, options.folder, options.schemes, None if options.all else DOCUMENTED).save_all(data)
        window.project.mark_saved(Path(home) / "lesson.cnn.json")
        window.close()


class Images:
    """Takes the images, one after the other, as `NAME-light.png` and `NAME-dark.png`."""

    def __init__(
        self,
        window: MainWindow,
        folder: Path,
        schemes: Sequence[Literal["light", "dark"]],
        wanted: Container[str] | None,
    ) -> None:
        """`wanted` are the names of the images to save, None all of them."""
        self.window = window
        self._wanted = wanted
        self._folder = folder
        self._schemes = schemes

    def save_all(self, data: str) -> None:
        """Every page: before the first run, during a training, and after it."""
        from cnnstudio.gui.compute.session import State

        window, pages = self.window, self.window.pages
        self.wait(3)
        for name, page in (("train", pages.TRAIN), ("explore", pages.EXPLORE), ("use", pages.USE)):
            self.page(f"empty-{name}", page)
        pages.turn_to(pages.DESIGN)
        window.project.set_dataset(data, 10)
        window.project.select(("conv2d_2",))
        window.tool_bar.train_action.trigger()
        self.wait(1200, lambda: len(window.shown_run.record.history.epochs) >= EPOCHS)
        self.page("window", pages.TRAIN)
        self.page("explore", pages.EXPLORE, self._views_are_there)
        self.designs()
        window.session.stop()
        self.wait(60, lambda: window.session.state is State.IDLE)
        self.page("data", pages.DATA)
        self.page("use", pages.USE)
        if self._wanted is None:
            self.views()
            self.tried()
        self.own_images()
        window.runs_overlay.open_table(window.run_folder)
        self.wait(2)
        self.save("runs")
        window.runs_overlay.close_table()
        self.pretrained()

    def views(self) -> None:
        """Each view of the catalog, in the first panel of Explore."""
        from cnnstudio.gui.dashboard.views.catalog import view_types

        panel = self.window.pages.explore.view_panels[0]
        chosen = panel.view.name
        for name in view_types():
            panel.choose(name)
            self.page(
                f"view-{name.removeprefix('view').lower()}", self.window.pages.EXPLORE, self._views_are_there
            )
        panel.choose(chosen)

    def tried(self) -> None:
        """The Use page with an answer."""
        pages = self.window.pages
        pages.turn_to(pages.USE)
        self.wait(2)
        pages.use.try_panel.empty.samples[0].click()
        self.wait(20, lambda: bool(pages.use.try_panel.body.bars.scores))
        self.save("tried")

    def designs(self) -> None:
        """The Design page: with an error, with groups and the drawing, and with a preview of fixes."""
        from PySide6.QtGui import QAction

        from cnnstudio.design import edits
        from cnnstudio.design.file import parse_design
        from cnnstudio.design.templates import template

        window, project = self.window, self.window.project
        self.page("design", window.pages.DESIGN)
        lesson = project.network
        project.edit("delete Flatten", edits.remove(project.network, ["flatten_1"]))
        project.select(("dense_1",))
        self.save("mistake")
        project.open_network(template("resnet-20").network, None)
        project.select(("residual_1",))
        window.pages.design.toggle_drawing()
        self.save("nested")
        window.pages.design.toggle_drawing()
        project.open_network(parse_design(_many_layers()), None)
        self.save("many")
        project.open_network(parse_design(_THREE_ERRORS), None)
        project.select(("conv2d_3",))
        preview = window.findChild(QAction, "actionPreviewFixes")
        assert preview is not None
        self.save("preview", preview.trigger)
        project.open_network(lesson, None)

    def pretrained(self) -> None:
        """The pretrained template with its locks, and the dialog that says what fits it."""
        from cnnstudio.design.adaptation import adapt_to_classes
        from cnnstudio.design.templates import template
        from cnnstudio.gui.training.start_from.dialog import StartDialog

        window, project = self.window, self.window.project
        before = project.network
        network = template("efficientnet-lite0").network
        project.open_network(adapt_to_classes(network, project.classes or 10), None)
        project.select((project.network.nodes[-1].id,))
        self.page("locks", window.pages.DESIGN)
        window.tool_bar.start.ask()
        dialog = window.findChild(StartDialog)
        if dialog is not None:
            self.wait(60, dialog.use_button.isEnabled)
            self.save("start-from", shown=dialog)
            dialog.reject()
        project.open_network(before, None)

    def own_images(self) -> None:
        """The Data page with a folder of images: what was understood, and the review queue."""
        from PySide6.QtWidgets import QPushButton

        from cnnstudio.gui.compute.session import State

        page = self.window.pages.data
        self.wait(60, lambda: self.window.session.state is State.IDLE)
        # The image shows where the folder is.
        folder = Path(tempfile.gettempdir(), "my-shapes")
        folder.mkdir()
        try:
            page.offer(write_shapes(folder))
            self.window.pages.turn_to(self.window.pages.DATA)
            self.wait(60, page.adding.settings.skipped.isVisible)
            self.save("add-images")
            page.adding.add_and_use.click()
            self.wait(120, lambda: page.runner.report is not None)
            duplicates = page.images.chips.findChild(QPushButton, "check_across")
            assert duplicates is not None
            duplicates.click()
            self.save("review")
            page.reviewing.close()
        finally:
            shutil.rmtree(folder)

    def page(self, name: str, page: int, until: Callable[[], bool] | None = None) -> None:
        """Turns to a page and takes it, when the condition holds or else after a moment."""
        self.window.pages.turn_to(page)
        self.wait(2)
        if until is not None:
            self.wait(60, until)
        self.save(name)

    def save(
        self, name: str, prepare: Callable[[], object] = lambda: None, shown: QWidget | None = None
    ) -> None:
        """Takes the window, or a dialog that is shown."""
        from cnnstudio.gui.theme.theme import theme

        for scheme in self._schemes if self._wanted is None or name in self._wanted else ():
            theme().set_scheme(scheme)
            self.window.message_bar.hide()
            prepare()
            self.wait(0.5)
            (shown or self.window).grab().save(str(self._folder / f"{name}-{scheme}.png"))

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        from PySide6.QtWidgets import QApplication

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            QApplication.processEvents()
            time.sleep(0.005)

    def _views_are_there(self) -> bool:
        panels = self.window.pages.explore.view_panels
        return all(not panel.view.message for panel in panels if panel.isVisible())


def write_shapes(folder: Path) -> Path:
    """Some of the built-in shapes as files, with what a check finds: copies in test, dark images."""
    from PIL import Image

    from cnnstudio.data.sources import find_source

    dataset = find_source("shapes").load()
    for part, split, count in (("train", dataset.train, 600), ("test", dataset.test, 150)):
        for row in range(count):
            name = dataset.classes[int(split.labels[row])]
            place = folder / part / name
            place.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(split.images[row].transpose(1, 2, 0))
            image.save(place / f"{name}-{row:03}.png")
            if part == "train" and row % 90 == 0:
                copied = folder / "test" / name
                copied.mkdir(parents=True, exist_ok=True)
                image.save(copied / f"{name}-again-{row}.png")
            if part == "train" and row in (33, 77):
                image.point(lambda value: value // 6).save(place / f"{name}-dark-{row}.png")
    (place / "notes.png").write_bytes(b"no image")
    return folder


if __name__ == "__main__":
    main()
