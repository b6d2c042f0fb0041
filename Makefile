# Any Python from 3.11 to 3.13; `make PYTHON=/path/to/python` picks another one.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check

# Stamps: a package is installed again only when the pins have changed.
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help run test test-fast browser lint previews format bench space notice audit train-sentiment lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNTIME) ## start the site at http://127.0.0.1:7860
	@$(PY) app.py

test: $(DEV) browser ## run every test, those in the browser too
	$(PY) -m pytest -n 3

test-fast: $(DEV) ## run the tests that take a minute together, without a browser
	$(PY) -m pytest -n 2 -m "not slow"

browser: $(DEV) ## find a Chromium for the tests, or install one
	@command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| $(PY) -m playwright install chromium >/dev/null 2>&1 \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } \
		|| echo "No Chromium, and none could be installed: the tests in the browser will be skipped."

lint: $(DEV) ## check style, format, who imports whom, and types
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(VENV)/bin/lint-imports
	$(PY) -m mypy

previews: $(RUNTIME) ## draw the pictures on the home page from the models' answers
	$(PY) -m apps.home.previews

format: $(DEV) ## mend style and format
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

bench: $(DEV) ## time everything beside the alternatives and the last record; ARGS="site --save"
	$(PY) -m benchmarks.record $(ARGS)

space: $(DEV) ## make the folder space/, all that a Hugging Face Space needs, and try it
	rm -rf space
	$(PY) release.py space space
	$(PY) release.py try space

notice: $(DEV) ## write the licences of all packages into NOTICE
	$(PY) release.py notice

audit: $(DEV) ## look up the locked packages in databases of known vulnerabilities
	$(PY) release.py audit

train-sentiment: $(RUNTIME) ## retrain the sentiment models; ARGS="--cell gru --seed 1"
	$(PY) -m training.sentiment train $(ARGS)

lock: $(DEV) ## remake requirements.lock after changing a pin
	$(PIP) install uv==0.13.8
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m uv pip compile --quiet --universal \
		--python-version 3.11 --strip-extras --no-annotate requirements-dev.txt -o requirements.lock

clean: ## remove the virtual environment and the caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
		echo "Unrolled needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUNTIME): requirements.txt requirements.lock | $(PY)
	@echo "Installing the packages into $(VENV) (about two minutes the first time)"
	@$(PIP) install -r requirements.txt -c requirements.lock
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo "Installing the test packages into $(VENV)"
	@$(PIP) install -r requirements-dev.txt -c requirements.lock
	@touch $@
