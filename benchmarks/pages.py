"""The weight of each page: `python -m benchmarks.pages [--other CHECKOUT] [--json FILE]`.

Measured for every page of the site are the bytes as sent (compressed) and uncompressed, and the
components and events in its configuration; for the site, the CPU seconds to build it, and those of
Chromium until the first answer and until the home page are visible. `--other` measures another
checkout in the same run. One from before version 1.0 has a single page.
"""

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import sync_playwright

from benchmarks.timing import JsonFile

app = typer.Typer(add_completion=False)

ROOT = Path(__file__).parent.parent
START_TIMEOUT_SECONDS = 300
ANSWER_TIMEOUT_MS = 300_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ANSWER = ".answer .number"  # visible on the sentiment page once it has an answer
BUILD = """
import time
import app
from shared import settings
begin = time.process_time()
app.build(settings.read())
print(time.process_time() - begin)
"""


@contextmanager
def serve(checkout):
    """Run the site of a checkout; yields its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "UNROLLED_PORT": str(port), "UNROLLED_LOG_LEVEL": "error"}
    command = [sys.executable, "app.py"]
    with tempfile.TemporaryFile() as log:
        site = subprocess.Popen(command, cwd=checkout, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        end = time.monotonic() + START_TIMEOUT_SECONDS
        try:
            while time.monotonic() < end:
                try:
                    urllib.request.urlopen(address, timeout=START_TIMEOUT_SECONDS).close()
                    break
                except urllib.error.URLError:
                    time.sleep(0.5)
            yield address
        finally:
            site.terminate()
            site.wait()


def measure_build(checkout):
    """CPU seconds to build the site of a checkout, the import of Gradio included."""
    command = [sys.executable, "-c", BUILD]
    result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    return round(float(result.stdout.strip().splitlines()[-1]), 2)


def measure_transfer(address):
    """Bytes, components and events of a page."""
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=START_TIMEOUT_SECONDS) as response:
        body = response.read()
        compressed = response.headers.get("content-encoding") == "gzip"
    html = gzip.decompress(body) if compressed else body
    start = html.index(b"window.gradio_config = ") + len(b"window.gradio_config = ")
    config, _ = json.JSONDecoder().raw_decode(html[start:].decode())
    return {
        "kilobytes_sent": round(len(body) / 1000, 1),
        "kilobytes": round(len(html) / 1000, 1),
        "components": len(config["components"]),
        "events": len(config["dependencies"]),
    }


def measure_browser(browser, address, selector):
    """CPU seconds of a fresh browser context until the selector is visible, the best of three."""
    figures = []
    for _ in range(3):
        page = browser.new_context().new_page()
        before = cpu_seconds("chrom")
        page.goto(address, timeout=ANSWER_TIMEOUT_MS)
        page.wait_for_selector(f"{selector} >> visible=true", timeout=ANSWER_TIMEOUT_MS)
        figures.append(cpu_seconds("chrom") - before)
        page.context.close()
    return round(min(figures), 2)


def cpu_seconds(name):
    """CPU seconds so far of this process's descendants whose program has the name in it."""
    processes = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:  # the process has ended
            continue
        program = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        processes[int(path.parent.name)] = (program, int(fields[1]), fields[11:15])
    own, size = {os.getpid()}, 0
    while len(own) > size:
        size = len(own)
        own |= {number for number, (_, parent, _) in processes.items() if parent in own}
    ticks = sum(
        sum(map(int, times)) for n, (program, _, times) in processes.items()
        if n in own and name in program
    )  # fmt: skip
    return ticks / os.sysconf("SC_CLK_TCK")


def find_pages(address):
    """The paths of all pages of a site; the home page is an empty string."""
    with urllib.request.urlopen(f"{address}/config", timeout=START_TIMEOUT_SECONDS) as response:
        return [page[0] for page in json.load(response)["pages"]]


def measure(checkouts):
    """All figures of each checkout, a dict by its name."""
    chromium = next(path for name in BROWSERS if (path := shutil.which(name)))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    figures = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        for name, checkout in checkouts.items():
            with serve(checkout) as address:
                pages = find_pages(address)
                page = f"{address}/{'sentiment' if 'sentiment' in pages else ''}"
                measure_browser(browser, page, ANSWER)  # warms the site and the browser's cache
                figures[name] = {
                    "build_cpu_seconds": measure_build(checkout),
                    "first_answer_cpu_seconds": measure_browser(browser, page, ANSWER),
                    "home_cpu_seconds": measure_browser(browser, address, "h1"),
                    "pages": {path or "/": measure_transfer(f"{address}/{path}") for path in pages},
                }
        browser.close()
    return figures


@app.command()
def main(
    other: Annotated[Path | None, typer.Option(help="Another checkout to compare with.")] = None,
    json_file: JsonFile = None,
):
    """Measure what it takes to open each page of the site."""
    checkouts = ({"other": other} if other else {}) | {"this": ROOT}
    figures = measure(checkouts)
    for name, values in figures.items():
        print(name)
        for key, value in values.items():
            if key != "pages":
                print(f"  {key}: {value}")
        for path, row in values["pages"].items():
            print(f"  {path:16}", "  ".join(f"{key} {value}" for key, value in row.items()))
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
