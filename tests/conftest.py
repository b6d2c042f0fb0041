import os
import shutil
from pathlib import Path

import pytest

# Set before anything imports TensorFlow or Gradio: no start-up chatter, no call home.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Compiling takes most of the time in tests: let XLA do as little of it as it can.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium for Playwright's `executable_path`; without one the test is skipped."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    # Playwright is imported here so that the other tests do without it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if Path(path).exists():
        return path
    pytest.skip("no Chromium found: `make browser` installs one")


# Tests of the site run on two processes at once; these files make one half of the work.
HALF = {"test_cells.py", "test_cells_race.py", "test_sentiment.py", "test_translation.py"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n`: each file stays on one process, and those of the site on two."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.split("::")[0]
            if path.startswith("tests/site/"):
                return f"site {Path(path).name in HALF}"
            return path

    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """The tests of the site first: they take longest."""
    items.sort(key=lambda item: "site" not in item.path.parts)
