"""Runs all benchmarks but the long ones, one after the other, and collects their results in one file.

python benchmarks/everything.py [--only training_speed …] [--keras-python PYTHON] [--json benchmarks.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HELPERS = {"everything", "rivals", "keras_rival"}
"""Not benchmarks of their own."""
LONG = {"accuracy", "time_to_accuracy", "shapes_difficulty", "data_checks", "pretrained_figures"}
"""Benchmarks that train to the end, or need files."""


def names() -> list[str]:
    return sorted({path.stem for path in FOLDER.glob("*.py")} - HELPERS - LONG)


def run(name: str, *more: str) -> dict[str, object]:
    """Runs one script; its exit status, duration and results."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        print(f"== {name}", flush=True)
        ended = subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), "--json", str(report), *more])
        found = json.loads(report.read_text()) if report.exists() else None
    return {"status": ended.returncode, "seconds": time.perf_counter() - start, "found": found}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=names(), default=names(), metavar="NAME")
    parser.add_argument("--keras-python", help="a Python that has Keras, for training_speed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    # Without a display, scripts draw their windows offscreen.
    if "DISPLAY" not in os.environ:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    more = {"training_speed": ["--keras-python", options.keras_python]} if options.keras_python else {}
    reports = {name: run(name, *more.get(name, ())) for name in options.only}
    print()
    for name, report in reports.items():
        outcome = "done" if report["status"] == 0 else "goal missed or failed"
        print(f"{name:20} {report['seconds']:6.0f} s  {outcome}")
    if options.json:
        machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        options.json.write_text(json.dumps({"machine": machine, "reports": reports}, indent=2) + "\n")
    return max(int(report["status"] != 0) for report in reports.values())


if __name__ == "__main__":
    sys.exit(main())
