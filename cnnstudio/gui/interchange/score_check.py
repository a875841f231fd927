"""One line that says whether an imported network gives the scores of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from cnnstudio.gui.compute.compute_task import CancelFunction, ComputeTask, ProgressFunction
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.interchange.onnx.reader import ImportedOnnx

if TYPE_CHECKING:
    from cnnstudio.training.pretrained.onnx_scores import ScoreComparison

_RUNNING = "Comparing the scores with those of the file, computed by ONNX Runtime…"
_WAITING = "The scores are compared with those of the file when the training has ended."
_SKIPPED = "The scores were not compared with the file."


class ScoreCheck(QWidget):
    """Compares on the compute thread. The import does not wait for it."""

    def __init__(self, session: TrainingSession) -> None:
        super().__init__()
        self._session = session
        self._task: ComputeTask | None = None
        self.text = Label("", "help", "secondary", wrap=True)
        self.text.setObjectName("scoreComparison")
        self._skip = QPushButton("Skip")
        self._skip.setObjectName("skipComparison")
        self._skip.setAccessibleName("Skip the comparison")
        self._skip.setProperty("role", "small")
        self._skip.setAutoDefault(False)
        self._skip.clicked.connect(self._on_skip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.text, 1)
        row.addWidget(self._skip)
        self.hide()

    def compare(self, imported: ImportedOnnx) -> None:
        """Says how the scores differ, as soon as that is known; a comparison before is given up."""

        def compare(progress: ProgressFunction, cancelled: CancelFunction) -> ScoreComparison:
            # Imported here, because it needs torch.
            from cnnstudio.training.pretrained.onnx_scores import compare_scores

            return compare_scores(imported, cancelled)

        self.close_task()
        self._show(_RUNNING if self._session.state is State.IDLE else _WAITING)
        self._skip.show()
        self._task = self._session.run_task(compare, self._on_compared, self._on_failed)

    def clear(self) -> None:
        """Shows nothing: there is no network to compare."""
        self.close_task()
        self.hide()

    def close_task(self) -> None:
        """Ends the comparison."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_compared(self, found: ScoreComparison) -> None:
        differs = found.largest_difference is not None and not found.agrees
        self._end(f"{found.text}.", is_wrong=differs)

    def _on_failed(self, reason: str) -> None:
        self._end(f"{_SKIPPED.removesuffix('.')}: {reason}")

    def _on_skip(self) -> None:
        self.close_task()
        self._end(_SKIPPED)

    def _end(self, text: str, *, is_wrong: bool = False) -> None:
        self._task = None
        self._skip.hide()
        self._show(text, is_wrong=is_wrong)

    def _show(self, text: str, *, is_wrong: bool = False) -> None:
        self.text.set_tone("wrong" if is_wrong else "secondary")
        self.text.setText(text)
        self.show()
