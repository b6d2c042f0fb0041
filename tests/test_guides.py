"""The guides are right: their commands, links and code work.

The guides are README.md, CONTRIBUTING.md and everything below docs/.
"""

import importlib
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
import typer
from typer.testing import CliRunner

import app
import apps
import release
from apps.cells.tab import LESSONS, address
from apps.home import tab as home
from shared import limits, settings

ROOT = Path(__file__).parent.parent
GUIDES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in GUIDES}
TOOLS = ("make", "python", "pip", "hf")
README_MAX_WORDS = 900


def code_blocks(text, language):
    """The contents of the fenced blocks in one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands():
    """Every command in a shell block or in backticks, without the variables before it."""
    result = set()
    for text in TEXTS.values():
        lines = "\n".join(code_blocks(text, "sh")).splitlines()
        for line in [*lines, *re.findall(r"`([^`\n]+)`", text)]:
            for command in re.sub(r"\s#.*", "", line).split("&&"):
                command = re.sub(r"^(\w+=\S+ )+", "", command.strip())
                tool, _, arguments = command.partition(" ")
                if tool in TOOLS and arguments and "training.<" not in arguments:
                    result.add(command)
    return sorted(result)


def links():
    """Every relative link: the guide, and the target."""
    for name, text in TEXTS.items():
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not urlsplit(target).scheme:
                yield name, target


def heading_ids(path):
    """The anchors that GitHub gives to the headings of a Markdown file."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def check_typer(command, words):
    """Assert that a Typer application has the sub-command and the options."""
    names = [word for word in words[:1] if not word.startswith("-")]
    group = typer.main.get_command(command)
    if names and hasattr(group, "commands"):
        group = group.commands[names[0]]
    known = {name for parameter in group.params for name in parameter.opts} | {"--help"}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known
    help_result = CliRunner().invoke(command, [*names, "--help"])
    assert help_result.exit_code == 0, help_result.output


def test_readme_is_short():
    assert len(TEXTS["README.md"].split()) <= README_MAX_WORDS


def test_guides_contain_commands():
    assert len(commands()) > 40
    assert {"make run", "make test", "python app.py"} <= set(commands())


@pytest.mark.parametrize("line", commands())
def test_command_exists_with_its_options(line):
    tool, *words = shlex.split(line)
    if tool == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words if "=" not in word} <= set(targets)
    elif tool == "pip":
        assert words[0] == "install"
        if "-r" in words:
            assert (ROOT / words[words.index("-r") + 1]).is_file()
    elif tool == "hf":
        assert words[0] in ("auth", "upload")
        assert any(script.name == "hf" for script in entry_points(group="console_scripts"))
    elif words[0] == "-m":
        module = importlib.import_module(words[1])
        if hasattr(module, "__path__"):  # a package: its command is in __main__.py
            module = importlib.import_module(f"{words[1]}.__main__")
        check_typer(module.app, words[2:])
    else:
        check_typer({"app.py": app.command, "release.py": release.command}[words[0]], words[1:])


@pytest.mark.parametrize(("guide", "target"), links())
def test_relative_link_resolves(guide, target):
    path, _, anchor = target.partition("#")
    file = (ROOT / guide).parent / path if path else ROOT / guide
    assert file.exists()
    if anchor:
        assert anchor in heading_ids(file)


def test_lesson_links_name_existing_lessons():
    paths = re.findall(r"\]\(http://127\.0\.0\.1:7860/([\w-]+)", TEXTS["docs/lessons.md"])
    lessons = [path for path in dict.fromkeys(paths) if path.startswith("cells")]
    assert lessons == [address(name) for name in LESSONS]
    assert set(paths) - set(lessons) <= set(apps.APPLICATIONS)


def test_lessons_take_as_long_as_the_home_page_says():
    rows = re.findall(r"7860/([\w-]+)\) \| (\d+) \|", TEXTS["docs/lessons.md"])
    minutes = {path: int(count) for path, count in rows}
    assert list(minutes) == [address(name) for name in LESSONS]
    for path, *_, count in home.views.LEARNING_PATH:
        assert count == minutes.get(path, count), path


def test_every_setting_is_documented():
    for row in settings.describe():
        assert f"`{row.variable}`" in TEXTS["docs/deploy.md"], row.variable


def test_documented_limits_are_those_in_force():
    text = TEXTS["docs/deploy.md"]
    assert f"At most {limits.WAITING_QUESTIONS} requests" in text
    assert f"at most {limits.WAITING_QUESTIONS_PER_VISITOR} of them" in text
    assert f"at most {limits.WAITING_BYTES // limits.MIB} MiB" in text
    assert f"at most {limits.WAITING_BYTES_PER_VISITOR // limits.MIB} MiB" in text
    assert f"within {limits.REQUEST_SECONDS} seconds" in text
    assert f"at most {limits.UPLOAD_FILES} files" in text


@pytest.mark.parametrize("source", code_blocks(TEXTS["README.md"], "python"))
def test_readme_code_runs(source, capsys):
    names = {}
    exec(compile(source, "README.md", "exec"), names)
    assert "(2, 20, 128) (2, 20, 128)" in capsys.readouterr().out
    assert names["model"].compiled


def test_the_example_application_builds_and_answers(tmp_path, monkeypatch):
    (source,) = code_blocks(TEXTS["CONTRIBUTING.md"], "python")
    lines = [line for line in source.splitlines() if line]
    assert len(lines) < 40
    folder = tmp_path / "fading"
    folder.mkdir()
    (folder / "tab.py").write_text(source, encoding="utf-8")
    for arguments in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *arguments]
        ruff += ["--stdin-filename", "apps/fading/tab.py", "-"]
        result = subprocess.run(ruff, input=source, cwd=ROOT, text=True, capture_output=True)
        assert result.returncode == 0, result.stdout
    monkeypatch.setattr(apps, "__path__", [*apps.__path__, str(tmp_path)])
    monkeypatch.setattr(app, "APPLICATIONS", ("fading",))
    monkeypatch.setattr(home, "APPLICATIONS", ("fading",))
    site, pages = app.build(settings.read())
    assert [page.path for page in pages] == ["", "fading"]
    (event,) = [event for event in site.fns.values() if event.api_name == "fading"]
    assert event.fn(0.5)[:4] == [1, 0.5, 0.25, 0.125]
    assert event.fn(1.0)[-1] == 1
    (redraw,) = [
        event
        for event in site.fns.values()
        if any(target[1] == "input" for target in event.targets)
    ]
    assert "<figure" in redraw.fn(0.5)
    assert redraw.fn(0.5) != redraw.fn(0.9)


def test_the_site_serves_the_vectors_named_on_the_command_line(tmp_path, monkeypatch):
    path = tmp_path / "mine.txt"
    path.write_text("plim 1 0 1\nplum 1 0 0\nglim 0 1 1\nglum 0 1 0.1\n")
    server = Mock()
    monkeypatch.setattr(app.server, "Server", server)
    monkeypatch.setattr(app, "_listen", Mock())
    monkeypatch.setattr(app, "APPLICATIONS", ("analogies",))
    monkeypatch.setattr(home, "APPLICATIONS", ("analogies",))
    unset_after = dict.fromkeys(("UNROLLED_VECTORS", "KERAS_BACKEND"))  # the command sets them
    result = CliRunner().invoke(app.command, ["--vectors", str(path)], env=unset_after)
    assert result.exit_code == 0, result.output
    site = server.call_args.args[0]
    (event,) = [event for event in site.fns.values() if event.api_name == "analogy"]
    assert event.fn("plim", "plum", "glim")["best"][0]["word"] == "glum"
