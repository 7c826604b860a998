# make sweep   set everything up and run the main job
# make test    set everything up and pass the tests
# make check   style, docstrings, types, format, which folder imports which
# make docs    build the documentation site into build/docs
# make chaos   kill processes of a sweep at random for MINUTES=20, and compare its tables with the undisturbed ones
# make test-cluster   a sweep on four hosts, in network namespaces, that die in the middle of it (as root)
# make test-cluster-kills   twenty random kills of a sweep on these hosts, and drivers that race for one store
# make fuzz    read N=2000 damaged sweep files, tables and results folders

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Tests that share a Ray stay together. Much of their time is waiting for sweeps: three processes on two cores.
SIDE_BY_SIDE := -n 3 --dist loadgroup

# Of the faults by command: how long processes are killed, how many damaged files are read, and with which seed.
MINUTES ?= 20
N ?= 2000
SEED ?= 1

.PHONY: setup sweep test docs promises test-cluster test-cluster-kills check format bench chaos fuzz clean

setup: $(READY)

# pip compiles all modules: where Python writes no bytecode (a setting of many images) each worker would compile torch anew.
$(READY): setup.cfg pyproject.toml constraints.txt
	@echo "Installing kdtune and what it needs (6.3 GB) into .venv: two to six minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

sweep: $(READY)
	$(BIN)/kdtune sweep sweeps/fakeset.yaml

test: $(READY)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --durations=40

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open build/docs/index.html"

promises: $(READY)
	$(BIN)/python -m pytest -m slow $(SIDE_BY_SIDE)

test-cluster: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,hosts]'
	$(BIN)/python -m pytest -m hosts -s tests/several_hosts/test_several_hosts.py

test-cluster-kills: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,hosts]'
	$(BIN)/python -m pytest -m hosts -s tests/test_seaweed.py tests/several_hosts/test_random_kills.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	for name in step grid workers throughput driver busy planning scale same_numbers memory where soft_targets; do $(BIN)/python -m benchmarks.$$name || exit 1; done

chaos: $(READY)
	$(BIN)/python -m benchmarks.faults.chaos --minutes $(MINUTES) --seed $(SEED)

fuzz: $(READY)
	$(BIN)/python -m benchmarks.faults.fuzz --number $(N) --seed $(SEED)

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
