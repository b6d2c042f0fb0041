import json
import os
import secrets
import shutil
import time
from pathlib import Path

import pytest

# Set before anything imports TensorFlow or Gradio: no start-up chatter, no call home.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Compiling takes most of the time in tests: let XLA do as little of it as it can.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# Fuzzing draws other inputs in every run; this repeats a run. With `-n`, all processes inherit it.
FUZZ_SEED = os.environ.setdefault("UNROLLED_FUZZ_SEED", str(secrets.randbelow(2**32)))

TEXTS = Path(__file__).parent / "texts.tsv"
SETTLED_SECONDS = 4  # for which a text that is written into `TEXTS` has stayed on a page

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


@pytest.fixture(scope="session")
def growth():
    """A function that measures how the time of `fn(input)` grows with the input.

    `growth(fn, large, small)` is the time for the large input as a multiple of that for the small
    one, which is half as long: 2 where time is linear, 4 where it is quadratic. Both are timed in
    turn, the shortest of several runs counts, and the smallest of five results, so that a busy
    machine does not matter. Times that are too short to measure count as no growth.
    """

    def seconds(fn, value):
        start = time.thread_time()
        fn(value)
        return time.thread_time() - start

    def measure(fn, large, small):
        ratio = float("inf")
        for _ in range(5):
            times = [(seconds(fn, large), seconds(fn, small)) for _ in range(3)]
            longer, shorter = map(min, zip(*times, strict=True))
            ratio = min(ratio, longer / max(shorter, 1e-9) if longer > 0.02 else 1)
            if ratio <= 2.2:
                break
        return ratio

    return measure


@pytest.fixture(autouse=True, scope="module")
def without_xla(request):
    """Let the small networks of the tests run in plain graphs, since XLA takes longer to compile
    them than they take for everything else.

    The compiled paths are tested by `test_xla.py`, and by the tests of the layers, of
    `shared.compiled` and of the site.
    """
    path = request.path.relative_to(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        if path.parts[0] in ("apps", "training") and path.name != "test_xla.py":
            patch.setattr("shared.compiled.Compiled._compile", lambda *_: None)
        if path.parts[0] == "training" and path.name != "test_xla.py":
            import keras

            trainer = next(base for base in keras.Model.__mro__ if "compile" in vars(base))
            compile_model = trainer.compile

            def compile_without_xla(self, *arguments, **options):
                compile_model(self, *arguments, **{**options, "jit_compile": False})

            patch.setattr(trainer, "compile", compile_without_xla)
        yield


# Tests of the site keep two of the processes busy; these files make one half of the work.
SITE_HALF = {
    "test_captioning.py",
    "test_cells.py",
    "test_cells_race.py",
    "test_sentiment.py",
    "test_translation.py",
    "test_vqa.py",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n`: each file stays on one process, and those of the site on two."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.split("::")[0]
            if path.startswith("tests/site/"):
                return f"site {Path(path).name in SITE_HALF}"
            return path

    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """Start with what takes longest, and run the tests of the site once more if they fail.

    `make test-fast` leaves out what is marked as slow: all in the folders `site`, `training` and
    `benchmarks`, and the files elsewhere that say so.
    """
    for item in items:
        if _top_folder(item) == "site":
            item.add_marker(pytest.mark.flaky(reruns=1))
        if _top_folder(item) in ("site", "training", "benchmarks"):
            item.add_marker(pytest.mark.slow)
    first = {"site": 0, "layers": 1, "training": 2}
    items.sort(
        key=lambda item: (first.get(_top_folder(item), 3), item.get_closest_marker("slow") is None)
    )


def _top_folder(item):
    """The folder below `tests` in which a test is."""
    return item.path.relative_to(Path(__file__).parent).parts[0]


def pytest_terminal_summary(terminalreporter):
    """List the tests that failed at first and then passed: each is a defect to mend."""
    failed = {report.nodeid for report in terminalreporter.stats.get("failed", ())}
    rerun = {report.nodeid for report in terminalreporter.stats.get("rerun", ())}
    for test in sorted(rerun - failed):
        terminalreporter.write_line(f"FLAKY {test}: failed at first, passed when run again")


def pytest_report_header():
    return f"fuzzing with UNROLLED_FUZZ_SEED={FUZZ_SEED}"


def pytest_addoption(parser):
    parser.addoption(
        "--update-texts",
        action="store_true",
        help="write tests/texts.tsv anew from what the selected tests see (without -n)",
    )


class Texts:
    """Compares sentences that people read with those in `tests/texts.tsv`, in the order of calls.

    Args:
        expected: The sentences of the test, or None to write them anew.
    """

    def __init__(self, expected):
        self.expected, self.seen = expected, []

    def __call__(self, sentence):
        """Compare a sentence, when the test has ended."""
        self.seen.append(str(sentence))

    def wait_for(self, locator):
        """Wait until an element of a page in the browser shows the sentence, and nothing else."""
        from playwright.sync_api import expect

        if self.expected is None:
            self.seen.append(self._settled_text(locator))
            return
        assert len(self.seen) < len(self.expected), "see `pytest --update-texts`"
        self.seen.append(self.expected[len(self.seen)])
        expect(locator).to_have_text(self.seen[-1])

    def _settled_text(self, locator):
        """What an element shows once it has not changed for a while; it may be an old sentence."""
        text, waited = None, 0
        while waited < SETTLED_SECONDS or (waited < 5 * SETTLED_SECONDS and text in self.seen[-1:]):
            locator.wait_for()
            shown = " ".join(locator.text_content().split())
            text, waited = shown, waited + 1 if shown == text else 0
            locator.page.wait_for_timeout(1000)
        return text


@pytest.fixture
def texts(request):
    """The `Texts` of a test.

    After a change of wording, `pytest --update-texts PATH` writes them anew, and the diff of the
    file shows what changed.
    """
    test = request.node.nodeid.removeprefix("tests/")
    lines = TEXTS.read_text(encoding="utf-8").splitlines() if TEXTS.exists() else []
    rows = [line.split("\t", 2) for line in lines]
    expected = {int(n): json.loads(text) for name, n, text in rows if name == test}
    if request.config.getoption("--update-texts"):
        texts = Texts(None)
        yield texts
        kept = [line for line in lines if line.split("\t")[0] != test]
        kept += [
            f"{test}\t{n}\t{json.dumps(text, ensure_ascii=False)}"
            for n, text in enumerate(texts.seen)
        ]
        TEXTS.write_text("".join(f"{line}\n" for line in sorted(kept)), encoding="utf-8")
        return
    texts = Texts([expected[n] for n in sorted(expected)])
    yield texts
    assert texts.seen == texts.expected, "see `pytest --update-texts`"
