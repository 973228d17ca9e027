# From a bare clone: `make demo` and `make test` build .venv on first use; later runs start at once.
# Variables: PYTHON (to build .venv with), TESTS (what `make test` runs), WORKERS, PYTEST_ARGS, DEMO_OUT.
# One worker more than the two processors of a small machine: tests that wait for other processes leave one idle.

PYTHON    ?= python3
VENV      := .venv
STAMP     := $(VENV)/.installed
BIN       := $(VENV)/bin
TESTS     ?= tests
WORKERS   ?= 3
DEMO_OUT  ?= demo-out
CODE      := src tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help demo serve-demo test test-slow docs lint format schema clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(STAMP) ## inspect six parts that come with the package; reports in DEMO_OUT
	$(BIN)/reason-iad demo --out $(DEMO_OUT)

serve-demo: $(STAMP) ## show the service in the browser, with parts that come with the package
	$(BIN)/reason-iad serve --demo

PYTEST := OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(STAMP) ## run the tests, but for the slow ones
	$(PYTEST) -m "not slow" $(PYTEST_ARGS) $(TESTS)

test-slow: $(STAMP) ## run the slow tests: compilers, several processes, browsers, very large pictures
	$(PYTEST) -m slow $(PYTEST_ARGS) $(TESTS)

docs: $(STAMP) ## build the documentation as a site in docs/_build/html (Python 3.11 or newer)
	$(BIN)/python -c 'import furo, myst_parser, sphinx' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -n -q -E -b html docs docs/_build/html

lint: $(STAMP) ## check style, format and types
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy -p reason_iad -p reason_iad_nano

format: $(STAMP) ## correct style and format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

schema: $(STAMP) ## write the JSON schemas in docs/ anew
	$(BIN)/python -m reason_iad schema --out docs

clean: ## remove .venv and everything that is built
	rm -rf $(VENV) build dist docs/_build demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that an installation that was interrupted is done again.
$(STAMP): pyproject.toml src/reason_iad_nano/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' -e src/reason_iad_nano
	@touch $@
