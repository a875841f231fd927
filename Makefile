# Everything happens in .venv; each target sets up what it needs, once. `make run` and `make test` need nothing before.
# Other Python:  make run PYTHON=python3.12      Other folder:  make run VENV=/somewhere/else
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WITH := -c packaging/constraints.txt
PINS := pyproject.toml packaging/constraints.txt
TESTS ?=
DATA ?= shapes
LONG := benchmarks/accuracy.py benchmarks/time_to_accuracy.py

# The first Python that is new enough, so that an old python3 beside a newer one is no obstacle.
ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c '$(ENOUGH)' 2>/dev/null; then echo $$python; exit; fi; done; echo python3)

.PHONY: run test lint types walls check benchmark campaign kills cycles screenshots wheel clean

run: $(VENV)/program.stamp
	$(BIN)/python -m cnnstudio

test: $(VENV)/test.stamp
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest $(TESTS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

walls: $(VENV)/dev.stamp
	$(BIN)/lint-imports --no-logo

check: lint types walls test

# Speed and memory beside what a user would write instead; the scripts say what they compare.
benchmark: $(VENV)/test.stamp
	$(BIN)/python benchmarks/everything.py --json benchmarks.json

# What the recipes reach, and how soon: DATA is a data set or a folder of images.
campaign: $(VENV)/test.stamp
	for script in $(LONG); do echo "== $$script"; $(BIN)/python $$script --data "$(DATA)" || exit; done

# Runs that are killed in training and inside saving, and go on to the same bits.
kills: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m slow tests/runs/test_killed_runs.py

# A thousand trainings started and stopped, half of them in the window, which leave nothing behind.
cycles: $(VENV)/test.stamp
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow tests/runs/test_cycles.py tests/gui/compute/test_cycles.py

# The images of the documentation, taken from the real window while it trains.
screenshots: $(VENV)/program.stamp
	$(BIN)/python docs/make_images.py

wheel: $(VENV)/test.stamp
	$(BIN)/python -m hatchling build -t wheel -d dist

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# torch comes first and alone, so that its pin is taken as it stands and not as one of many wishes.
$(VENV)/program.stamp: $(PINS)
	@$(PYTHON) -c '$(ENOUGH)' 2>/dev/null || { \
		echo "CNN Studio needs Python 3.11 or newer, but $(PYTHON) is" \
			"$$($(PYTHON) --version 2>&1 || echo missing): install it or say make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(PIP) install $(WITH) torch torchvision
	$(PIP) install $(WITH) -e .
	@touch $@

$(VENV)/test.stamp: $(VENV)/program.stamp
	$(PIP) install $(WITH) -e '.[test]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/test.stamp
	$(PIP) install $(WITH) -e '.[dev]'
	@touch $@
