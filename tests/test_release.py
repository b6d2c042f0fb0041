"""What leaves the repository: the folder of a Space, and the list of licences."""

import ast
import socket
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

import release

MOST = 10 * 2**20  # bytes
# Says whether it has what the development environment has, and then waits to be stopped.
STUB = """
import importlib.util, pathlib, time
import named
found = importlib.util.find_spec("gradio")
pathlib.Path("said").write_text("not alone" if found else "alone")
time.sleep(60)
"""
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = tmp_path_factory.mktemp("space") / "unrolled"
    release.space(folder)
    return folder


def front_matter(folder):
    _, lines, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(lines)


def test_the_front_matter_of_a_space_is_complete(space):
    about = front_matter(space)
    pins = dict(line.split("==") for line in (space / "requirements.txt").read_text().splitlines())
    assert (about["sdk"], about["sdk_version"]) == ("gradio", pins["gradio"])
    assert about["python_version"] == "3.11"
    assert (space / about["app_file"]).name == "app.py"
    assert about["license"] == "apache-2.0"
    assert {about["colorFrom"], about["colorTo"]} <= COLOURS
    assert about["title"] and about["emoji"] and 0 < len(about["short_description"]) <= 60
    assert all(isinstance(tag, str) for tag in about["tags"])
    assert all(name.count("/") == 1 for name in about["datasets"])


def test_a_space_holds_no_large_file_and_nothing_unwanted(space):
    files = [path for path in space.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < MOST
    assert sum(path.stat().st_size for path in files) < 5 * MOST
    assert not [path for path in files if path.suffix in (".pyc", ".pyi", ".log")]
    for name in ("NOTICE", "LICENSE", "models/sentiment/card.json", "docs/sentiment.png"):
        assert (space / name).is_file(), name
    tracked = (space / ".gitattributes").read_text()
    for path in files:
        if b"\0" in path.read_bytes()[:1024]:
            assert f"*{path.suffix} filter=lfs" in tracked, path.name


def test_a_space_has_every_module_that_it_imports(space):
    here = {path.stem for path in space.iterdir()}
    pinned = set(release.needed())
    homes = packages_distributions()
    for path in space.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names - here:
                assert pinned & set(map(canonicalize_name, homes[name])), f"{path.name}: {name}"


def test_a_space_answers_without_a_home(space, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    release.try_out(space, port, python=Path(sys.executable))
    assert "is positive" in capsys.readouterr().out


def test_a_space_is_tried_with_the_packages_of_its_requirements_alone(
    tmp_path, monkeypatch, capsys
):
    wheel = tmp_path / "named-1-py3-none-any.whl"
    with ZipFile(wheel, "w") as package:
        package.writestr("named.py", "")
        about = "Metadata-Version: 2.1\nName: named\nVersion: 1"
        package.writestr("named-1.dist-info/METADATA", about)
        package.writestr("named-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true")
        package.writestr("named-1.dist-info/RECORD", "")
    (tmp_path / "requirements.txt").write_text(f"named @ {wheel.as_uri()}\n")
    (tmp_path / "app.py").write_text(STUB)
    said = tmp_path / "said"
    monkeypatch.setattr(release, "_answer", lambda _: said.exists() and said.read_text() or None)
    release.try_out(tmp_path)
    assert "is alone" in capsys.readouterr().out


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match="is not empty"):
        release.space(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_every_requirement_stands_in_the_notice_with_its_licence():
    text = (Path(release.ROOT) / "NOTICE").read_text(encoding="utf-8")
    rows = dict(line.split(": ", 1) for line in text.partition(release.ALL)[2].strip().splitlines())
    for each in release.requirements():
        name = f"{canonicalize_name(each.name)} {str(each.specifier).removeprefix('==')}"
        assert rows.get(name, "?") != "?", name
    assert len(rows) > 2 * len(release.requirements())


def test_the_list_of_licences_is_written_anew_below_what_stands_there(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("safetensors\n")
    (tmp_path / "NOTICE").write_text(f"Ours.\n\n{release.ALL}\n\ngone 1.0: MIT\n")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert CliRunner().invoke(release.command, ["notice"]).exit_code == 0
    head, rows = (tmp_path / "NOTICE").read_text(encoding="utf-8").split(f"{release.ALL}\n\n")
    assert head == "Ours.\n\n"
    assert rows == f"safetensors {version('safetensors')}: Apache Software License\n"


def test_a_licence_is_read_where_a_package_says_it():
    packages = release.needed()
    said = {name: release.licence(packages[name]) for name in ("numpy", "keras", "safetensors")}
    assert said["numpy"].startswith("BSD-3-Clause")
    assert said["keras"] == "Apache License 2.0"
    assert said["safetensors"] == "Apache Software License"
    assert "?" not in map(release.licence, packages.values())
