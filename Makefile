# Every target that needs packages sets up .venv by itself, once: `make demo` and `make test` are all the set-up.
# Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
PYTHONS := 3.11 3.12 3.13
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Settings under which torch takes the kernels of a processor with SSE4.1 or AVX2 only, or adds up in another order.
CPUS := "ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41" "ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2" \
	OMP_NUM_THREADS=1
# One process per core, four at most; a file's tests share what it trains. A failure is told when it happens.
TESTS := $(BIN)/python -m pytest -q --instafail --numprocesses auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test test-cpus lint docs pages check slow fuzz audit sbom extras pythons clean

help:
	@echo "make demo       reconstruct, edit, interpolate and cross over faces with the bundled model, into demo/"
	@echo "make test       all tests but the slow ones"
	@echo "make lint       format, lint, spelling, types"
	@echo "make docs       the documentation site, into site/"
	@echo "make pages      the documentation site, and in site/edit/ the editor as a page without a server (needs npm)"
	@echo "make check      make lint, make docs and the fast tests (pre-commit runs this)"
	@echo "make test-cpus  all tests with the kernels of other processors; an hour"
	@echo "make slow       the tests that take minutes"
	@echo "make fuzz       damaged files and settings of every kind, 10 000 of each"
	@echo "make audit      known vulnerabilities of the installed packages (asks the index's advisory service)"
	@echo "make sbom       the installed packages as a CycloneDX list, into sbom.json"
	@echo "make pythons    make check with each of Python $(PYTHONS) that is installed"
	@echo "make extras     every command from a wheel with no extra, and with each (fresh environments, ten minutes)"
	@echo "make clean      remove what the targets made (keeps $(VENV) and runs/)"

demo: $(INSTALLED)
	$(BIN)/sean demo --output demo

test: $(INSTALLED)
	$(TESTS) -m "not slow"

# Browsers compute nothing with torch: their tests are left out. Goes on after a failure, and tells in the end.
test-cpus: $(INSTALLED)
	@failed=""; for cpu in $(CPUS); do echo "$$cpu"; \
		env $$cpu $(TESTS) -m "not slow" --ignore tests/browser || failed="$$failed $$cpu;"; done; \
	[ -z "$$failed" ] || { echo "failed with:$$failed" >&2; exit 1; }

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy

# Strict: a dead link, a wrong anchor, a docstring that does not fit, or a request to another host is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The page is tested by tests/browser/test_standalone.py, which is left out where it is not built.
pages: docs
	$(BIN)/python tools/build_page.py site/edit

check: lint docs
	$(TESTS) -m "not slow and not integration"

slow: $(INSTALLED)
	$(BIN)/python -m pytest -q -m slow

# Ten thousand examples a target, new ones each time; a failure prints how to repeat it. An hour or more, and several on
# a disk: TMPDIR=/dev/shm make fuzz writes the damaged files into memory.
fuzz: $(INSTALLED)
	$(TESTS) tests/fuzz --hypothesis-profile fuzz --timeout 0

audit: $(INSTALLED)
	$(BIN)/python tools/audit.py

sbom: $(INSTALLED)
	$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --output-format JSON \
		--output-file sbom.json $(BIN)/python

extras: $(INSTALLED)
	$(BIN)/python tools/extras_matrix.py

pythons:
	@for version in $(PYTHONS); do \
		if python$$version --version >/dev/null 2>&1; then \
			$(MAKE) PYTHON=python$$version VENV=.venv-$$version check || exit 1; \
		else echo "Python $$version: not installed, left out"; fi; done

clean:
	rm -rf demo site sbom.json build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "sean needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)." \
		     "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing sean and what it needs into $(VENV) (once, a few minutes) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,eval,photo,web,heic,imagenet,onnx,docs,dev]'
	@touch $@
