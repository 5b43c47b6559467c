# Two commands: `make demo` runs a simulated case, `make test` runs everything that must pass.
# Both set up what they need; Python 3.11+ is all that must be there.

PYTHON ?= python3
RUNS ?= 5
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Numba, BLAS and onnxruntime share two cores with everything else: one thread each.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export NUMBA_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check format lint types tests explore page train bench lock clean

help:
	@echo "make demo     a simulated surgical case over real LSL, with its page"
	@echo "make test     set up, then format check, lint, types and all tests"
	@echo "make check    the same, without setting up anew"
	@echo "make explore  the properties with new examples (RUNS=5 times over)"
	@echo "make format   format the code"
	@echo "make page     build the page"
	@echo "make train    train and export the network (installs PyTorch)"
	@echo "make bench    the latency benchmark"
	@echo "make lock     renew the lock files (needs uv)"

demo: $(READY) page
	@$(BIN)/mep-monitor demo $(ARGS)

test: $(READY) check

check: lint types page tests

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(READY)
	@$(BIN)/mypy

tests: $(READY)
	@$(BIN)/python -m pytest

# The properties again with examples that nobody has seen; a failure is kept in .hypothesis.
explore: $(READY)
	@for run in $$(seq $(RUNS)); do \
		$(BIN)/python -m pytest -q -m hypothesis --hypothesis-profile=explore || exit 1; done

page: $(READY)
	@$(BIN)/python hatch_build.py

train: $(READY)
	@$(BIN)/pip install -q torch==2.13.0 onnx onnxscript
	@$(BIN)/python -m models.train
	@$(BIN)/python -m models.export

bench: $(READY)
	@$(BIN)/python -m bench.latency

# Exact versions with hashes first, then this package in place; its build builds the page.
$(READY): requirements-dev.lock pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "mep-monitor needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { echo "no virtual environment could be made: on Debian, apt install python3-venv" >&2; exit 2; }
	@echo "installing the locked dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -q --no-build-isolation --no-deps -e .
	@touch $@

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate pyproject.toml --extra dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) monitor/gateway/page monitor/dashboard/node_modules .mypy_cache .ruff_cache .pytest_cache
