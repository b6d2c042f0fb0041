"""What leaves this repository: `python release.py notice`, `space FOLDER`, `try FOLDER`."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import Annotated

import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent
# All that a Space runs, and what people read there.
SHIPPED = ("app.py", "apps", "shared", "models", "docs", "README.md", "LICENSE", "NOTICE")
ALL = "The packages that the site needs, installed from their own sources under their own licences:"
# Their licence stands in a file alone, and in no field.
UNSAID = {"namex": "Apache-2.0", "peewee": "MIT"}
# The Hub takes what is not text through LFS alone, however small.
ATTRIBUTES = "".join(
    f"*.{end} filter=lfs diff=lfs merge=lfs -text\n" for end in ("safetensors", "png")
)
SENTENCE = "A superb, moving film."

command = typer.Typer(add_completion=False, rich_markup_mode=None)


def requirements():
    """The `Requirement` of each line of requirements.txt that holds on this machine."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [each for each in found if not each.marker or each.marker.evaluate()]


def needed():
    """The installed distributions that the site needs by name, those that others need too."""
    found, waiting = {}, requirements()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        here = found.setdefault(name, distribution(name))
        for line in here.requires or []:
            other = Requirement(line)
            extras = [{"extra": extra} for extra in ("", *wanted.extras)]
            if canonicalize_name(other.name) in found:
                continue
            if not other.marker or any(map(other.marker.evaluate, extras)):
                waiting.append(other)
    return dict(sorted(found.items()))


def licence(package):
    """The licence of a distribution, as it says itself."""
    about = package.metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    written = (about.get("License") or UNSAID.get(about["Name"], "?")).strip().splitlines()[0]
    return about.get("License-Expression") or ", ".join(classifiers) or written


@command.command()
def notice():
    """Write the list of packages and their licences at the end of NOTICE."""
    path = ROOT / "NOTICE"
    head = path.read_text(encoding="utf-8").partition(ALL)[0]
    lines = [f"{name} {each.version}: {licence(each)}" for name, each in needed().items()]
    path.write_text(f"{head}{ALL}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


@command.command()
def space(folder: Path):
    """Make the folder that is pushed to a Space: what it runs, with all its packages pinned."""
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty: name another folder, or empty it.")
    folder.mkdir(parents=True, exist_ok=True)
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyi", ".*")
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        options = {"ignore": unwanted} if (ROOT / name).is_dir() else {}
        copy(ROOT / name, folder / name, **options)
    pins = [f"{name}=={each.version}" for name, each in needed().items()]
    (folder / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    (folder / ".gitattributes").write_text(ATTRIBUTES, encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder} holds {size / 2**20:.0f} MB: all that a Space of the Gradio SDK needs.")


@command.command("try")
def try_out(
    folder: Path,
    port: int = 7860,
    patience: int = 120,
    python: Annotated[
        Path | None, typer.Option(help="One that has the packages; without it they are installed.")
    ] = None,
):
    """Start the site of such a folder as a Space would, and wait for its first answer.

    Its packages are those of its requirements.txt alone, in an environment that is deleted again.
    No variable of this environment is passed on, and there is no home to write to.
    """
    environment = {"PATH": os.defpath, "HOME": os.devnull, "SPACE_ID": "someone/unrolled"}
    environment["UNROLLED_PORT"] = str(port)
    with tempfile.TemporaryDirectory() as fresh:
        python = python or _installed(folder, Path(fresh))
        start = time.monotonic()
        site = subprocess.Popen([python, "app.py"], cwd=folder, env=environment)
        try:
            while (answer := _answer(f"http://127.0.0.1:{port}")) is None:
                if site.poll() is not None or time.monotonic() - start > patience:
                    raise SystemExit("The site did not answer.")
                time.sleep(0.2)
        finally:
            site.terminate()
            site.wait(10)
    print(f"“{SENTENCE}” is {answer}, {time.monotonic() - start:.0f} s after the start.")


def _installed(folder, home):
    """A Python whose new environment in `home` has what the requirements.txt of `folder` names."""
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    print("Installing the packages of requirements.txt alone (about two minutes)", flush=True)
    subprocess.run([*pip, "install", "-r", folder / "requirements.txt"], check=True)
    return python


def _answer(address):
    """The label that the site gives to a sentence, or None before it is up."""
    url = f"{address}/gradio_api/call/sentiment"
    body = json.dumps({"data": [SENTENCE, "lstm"]}).encode()
    asked = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=60) as begun:
            event = json.load(begun)["event_id"]
        with urllib.request.urlopen(f"{url}/{event}", timeout=60) as answered:
            last = answered.read().decode().strip().rsplit("data: ", 1)[1]
    except (urllib.error.URLError, ConnectionError):
        return None
    return json.loads(last)[0]["label"]


if __name__ == "__main__":
    command()
