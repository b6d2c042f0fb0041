"""The folder of a Space, and the list of licences."""

import ast
import json
import socket
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
import yaml
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

import release

pytestmark = pytest.mark.slow

MAX_FILE_BYTES = 10 * 2**20
# An app.py that reports whether it sees packages of the development environment, then waits.
APP = """
import importlib.util, pathlib, time
import only_requirement
visible = importlib.util.find_spec("gradio")
pathlib.Path("report").write_text("not isolated" if visible else "isolated")
time.sleep(60)
"""
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = tmp_path_factory.mktemp("space") / "unrolled"
    release.space(folder)
    return folder


def read_front_matter(folder):
    _, lines, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(lines)


def test_the_front_matter_of_a_space_is_complete(space):
    metadata = read_front_matter(space)
    pins = dict(line.split("==") for line in (space / "requirements.txt").read_text().splitlines())
    assert (metadata["sdk"], metadata["sdk_version"]) == ("gradio", pins["gradio"])
    assert metadata["python_version"] == "3.11"
    assert (space / metadata["app_file"]).name == "app.py"
    assert metadata["license"] == "apache-2.0"
    assert {metadata["colorFrom"], metadata["colorTo"]} <= COLOURS
    assert metadata["title"] and metadata["emoji"] and 0 < len(metadata["short_description"]) <= 60
    assert all(isinstance(tag, str) for tag in metadata["tags"])
    assert all(name.count("/") == 1 for name in metadata["datasets"])


def test_a_space_has_no_large_and_no_unwanted_files(space):
    files = [path for path in space.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < MAX_FILE_BYTES
    assert sum(path.stat().st_size for path in files) < 10 * MAX_FILE_BYTES
    assert not [path for path in files if path.suffix in (".pyc", ".pyi", ".log")]
    for name in ("NOTICE", "LICENSE", "models/sentiment/card.json", "docs/sentiment.png"):
        assert (space / name).is_file(), name
    tracked = (space / ".gitattributes").read_text()
    for path in files:
        if b"\0" in path.read_bytes()[:1024]:
            assert f"*{path.suffix} filter=lfs" in tracked, path.name


def test_every_module_that_a_space_imports_is_in_it_or_pinned(space):
    own_modules = {path.stem for path in space.iterdir()}
    pinned = set(release.find_packages())
    packages_by_module = packages_distributions()
    for path in space.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            modules = {name.split(".")[0] for name in names}
            # The layers import PyTorch where Keras runs on it, which a Space does not.
            for name in modules - sys.stdlib_module_names - own_modules - {"torch"}:
                packages = set(map(canonicalize_name, packages_by_module[name]))
                assert pinned & packages, f"{path.name}: {name}"


def test_a_space_answers_without_a_writable_home(space, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    release.try_space(space, port, python=Path(sys.executable))
    assert "is positive" in capsys.readouterr().out


def test_a_space_is_tried_with_only_the_packages_of_its_requirements(tmp_path, monkeypatch, capsys):
    wheel = tmp_path / "only_requirement-1-py3-none-any.whl"
    with ZipFile(wheel, "w") as package:
        package.writestr("only_requirement.py", "")
        metadata = "Metadata-Version: 2.1\nName: only-requirement\nVersion: 1"
        package.writestr("only_requirement-1.dist-info/METADATA", metadata)
        package.writestr(
            "only_requirement-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true"
        )
        package.writestr("only_requirement-1.dist-info/RECORD", "")
    (tmp_path / "requirements.txt").write_text(f"only-requirement @ {wheel.as_uri()}\n")
    (tmp_path / "app.py").write_text(APP)
    report = tmp_path / "report"

    def read_report(address):
        return report.read_text() or None if report.exists() else None

    monkeypatch.setattr(release, "_classify_review", read_report)
    release.try_space(tmp_path)
    assert "is isolated" in capsys.readouterr().out


def test_a_folder_that_is_not_empty_is_not_changed(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match="is not empty"):
        release.space(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_notice_lists_every_requirement_with_its_licence():
    text = (Path(release.ROOT) / "NOTICE").read_text(encoding="utf-8")
    rows = dict(
        line.split(": ", 1)
        for line in text.partition(release.NOTICE_HEADING)[2].strip().splitlines()
    )
    requirements = release.read_requirements()
    for each in requirements:
        name = f"{canonicalize_name(each.name)} {str(each.specifier).removeprefix('==')}"
        assert rows.get(name, "?") != "?", name
    assert len(rows) > 2 * len(requirements)


def test_the_list_of_licences_is_replaced_and_the_text_above_it_kept(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("safetensors\n")
    (tmp_path / "NOTICE").write_text(f"Ours.\n\n{release.NOTICE_HEADING}\n\ngone 1.0: MIT\n")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert CliRunner().invoke(release.command, ["notice"]).exit_code == 0
    head, rows = (
        (tmp_path / "NOTICE").read_text(encoding="utf-8").split(f"{release.NOTICE_HEADING}\n\n")
    )
    assert head == "Ours.\n\n"
    assert rows == f"safetensors {version('safetensors')}: Apache Software License\n"


def test_a_licence_is_read_from_the_metadata_of_a_package():
    packages = release.find_packages()
    licences = {name: release.find_licence(package) for name, package in packages.items()}
    assert licences["numpy"].startswith("BSD-3-Clause")
    assert licences["keras"] == "Apache License 2.0"
    assert licences["safetensors"] == "Apache Software License"
    assert "?" not in licences.values()


@pytest.mark.parametrize("vulnerable", [False, True])
@pytest.mark.parametrize("answers", [{"osv"}, {"pypi"}, {"one package"}, set()])
def test_an_audit_says_what_it_could_not_look_up(monkeypatch, tmp_path, texts, answers, vulnerable):
    """`answers` are the databases that answer; "one package" is all that pypi.org knows."""
    lock = "# comment\nold.package==1.0\nNew_Package==2.0\nelsewhere==3 ; sys_platform == 'plan9'\n"
    (tmp_path / "requirements.lock").write_text(lock)
    monkeypatch.setattr(release, "ROOT", tmp_path)

    def run(command, **_):
        database, known = command[-1], ["old-package", "new-package"]
        if database not in answers and "one package" not in answers:
            return SimpleNamespace(stdout="")
        dependencies = [{"name": name, "version": "1.0", "vulns": []} for name in known]
        if vulnerable:
            dependencies[0]["vulns"] = [{"id": "CVE-1", "fix_versions": ["1.1", "2.0"]}]
        if database not in answers:
            dependencies[1] = {"name": "new-package", "skip_reason": "not found"}
            if database == "osv":
                dependencies = []
        return SimpleNamespace(stdout=json.dumps({"dependencies": dependencies, "fixes": []}))

    monkeypatch.setattr(release.subprocess, "run", run)
    result = CliRunner().invoke(release.command, ["audit"])
    texts(result.output)
    whole = bool(answers - {"one package"})
    assert result.exit_code == (1 if vulnerable and answers else 0 if whole else 3)


def test_pip_audit_says_nothing_where_no_database_answers(monkeypatch):
    """The real program, with a proxy that is not there."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert all("skip_reason" in package for package in release._look_up("osv"))
