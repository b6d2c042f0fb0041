"""Builds and checks what leaves this repository: `python release.py COMMAND`.

The commands are `space FOLDER`, `try FOLDER`, `notice` and `audit`.
"""

import json
import os
import shutil
import subprocess
import sys
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
SPACE_FILES = (
    "app.py",
    "apps",
    "shared",
    "unrolled",
    "models",
    "docs",
    "README.md",
    "LICENSE",
    "NOTICE",
)
NOTICE_HEADING = (
    "The packages that the site needs, installed from their own sources under their own licences:"
)
# Packages whose metadata has no licence field, only a licence file.
KNOWN_LICENCES = {"namex": "Apache-2.0", "peewee": "MIT"}
# The Hub accepts binary files, however small, through LFS only.
GIT_ATTRIBUTES = "".join(
    f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in ("safetensors", "png")
)
VULNERABILITY_DATABASES = {"osv": "osv.dev", "pypi": "pypi.org"}  # by their names in pip-audit
EXAMPLE_REVIEW = "A superb, moving film."

command = typer.Typer(add_completion=False, rich_markup_mode=None)


def read_requirements(file_name="requirements.txt"):
    """The `Requirement` of each line of a file of pins that applies to this machine."""
    lines = (ROOT / file_name).read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [each for each in requirements if not each.marker or each.marker.evaluate()]


def find_packages():
    """The installed distributions of all requirements and their dependencies, sorted by name."""
    packages, queue = {}, read_requirements()
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        package = packages.setdefault(name, distribution(name))
        for line in package.requires or []:
            dependency = Requirement(line)
            environments = [{"extra": extra} for extra in ("", *requirement.extras)]
            if canonicalize_name(dependency.name) in packages:
                continue
            if not dependency.marker or any(map(dependency.marker.evaluate, environments)):
                queue.append(dependency)
    return dict(sorted(packages.items()))


def find_licence(package):
    """The licence of a distribution, from its metadata; "?" if there is none."""
    metadata = package.metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    field = metadata.get("License") or KNOWN_LICENCES.get(metadata["Name"], "?")
    first_line = field.strip().splitlines()[0]
    return metadata.get("License-Expression") or ", ".join(classifiers) or first_line


@command.command()
def notice():
    """Write the list of packages and their licences at the end of NOTICE."""
    path = ROOT / "NOTICE"
    head = path.read_text(encoding="utf-8").partition(NOTICE_HEADING)[0]
    lines = [
        f"{name} {package.version}: {find_licence(package)}"
        for name, package in find_packages().items()
    ]
    path.write_text(f"{head}{NOTICE_HEADING}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


@command.command()
def space(folder: Path):
    """Build the folder that is pushed to a Space, with all its packages pinned."""
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty: name another folder, or empty it.")
    folder.mkdir(parents=True, exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyi", ".*")
    for name in SPACE_FILES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    pins = [f"{name}=={package.version}" for name, package in find_packages().items()]
    (folder / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    (folder / ".gitattributes").write_text(GIT_ATTRIBUTES, encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder} holds {size / 2**20:.0f} MB: everything that a Space of the Gradio SDK needs.")


@command.command("try")
def try_space(
    folder: Path,
    port: int = 7860,
    patience: Annotated[int, typer.Option(help="Seconds to wait for the first answer.")] = 120,
    python: Annotated[
        Path | None,
        typer.Option(help="A Python that has the packages; by default they are installed."),
    ] = None,
):
    """Start the site of such a folder as a Space would, and wait for its first answer.

    It runs in a new environment that has only the packages of its requirements.txt and is deleted
    afterwards. No variable of this environment is passed on, and there is no writable home.
    """
    environment = {"PATH": os.defpath, "HOME": os.devnull, "SPACE_ID": "someone/unrolled"}
    environment["UNROLLED_PORT"] = str(port)
    with tempfile.TemporaryDirectory() as new_environment:
        python = python or _install_packages(folder, Path(new_environment))
        start = time.monotonic()
        site = subprocess.Popen([python, "app.py"], cwd=folder, env=environment)
        try:
            while (answer := _classify_review(f"http://127.0.0.1:{port}")) is None:
                if site.poll() is not None or time.monotonic() - start > patience:
                    raise SystemExit("The site did not answer.")
                time.sleep(0.2)
        finally:
            site.terminate()
            site.wait(10)
    print(f"“{EXAMPLE_REVIEW}” is {answer}, {time.monotonic() - start:.0f} s after the start.")


def _install_packages(folder, environment):
    """Create a virtual environment with the requirements of `folder`; returns its Python."""
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    print("Installing the packages of requirements.txt alone (about two minutes)", flush=True)
    subprocess.run([*pip, "install", "-r", folder / "requirements.txt"], check=True)
    return python


def _classify_review(address):
    """The label that the site gives to the example review, or None before it is up."""
    url = f"{address}/gradio_api/call/sentiment"
    body = json.dumps({"data": [EXAMPLE_REVIEW, "lstm"]}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            event = json.load(response)["event_id"]
        with urllib.request.urlopen(f"{url}/{event}", timeout=60) as response:
            data = response.read().decode().strip().rsplit("data: ", 1)[1]
    except (urllib.error.URLError, ConnectionError):
        return None
    return json.loads(data)[0]["label"]


@command.command()
def audit():
    """Look up all packages of requirements.lock in databases of known vulnerabilities.

    The exit status is 1 if a package is known to be vulnerable, else 3 if not all packages could be
    looked up, and 0 if all were and none is.
    """
    pins = {canonicalize_name(each.name) for each in read_requirements("requirements.lock")}
    known, asked, found = set(), [], set()
    for database, host in VULNERABILITY_DATABASES.items():
        for package in _look_up(database):
            if "skip_reason" in package:
                continue
            known.add(canonicalize_name(package["name"]))
            for problem in package["vulns"]:
                mended = ", ".join(problem["fix_versions"]) or "no version yet"
                name = f"{package['name']} {package['version']}"
                found.add(f"{name}: {problem['id']}, mended in {mended}")
        asked.append(host)
        if pins <= known:
            break
    hosts, unknown = " and ".join(asked), sorted(pins - known)
    if found:
        print("\n".join(sorted(found)))
    if len(unknown) == len(pins):
        print(
            f"None of the {len(pins)} packages could be looked up: {hosts} cannot be reached from "
            "here, or do not say. Nothing is known about them. Run this where one of them answers."
        )
    elif unknown:
        print(
            f"Only {len(pins) - len(unknown)} of {len(pins)} packages could be looked up at "
            f"{hosts}. Nothing is known about {', '.join(unknown)}."
        )
    elif not found:
        print(f"{hosts}: no known vulnerability in any of the {len(pins)} packages.")
    raise typer.Exit(1 if found else 3 if unknown else 0)


def _look_up(database):
    """What pip-audit reports for each package of requirements.lock; nothing without an answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", ROOT / "requirements.lock"]
    options = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
    report = subprocess.run([*command, *options, "-s", database], capture_output=True, text=True)
    try:
        return json.loads(report.stdout)["dependencies"]
    except ValueError:
        return []


if __name__ == "__main__":
    command()
