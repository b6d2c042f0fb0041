"""What README.md and CONTRIBUTING.md tell people to type does exist."""

import ast
import importlib
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from unittest.mock import Mock

import pytest
import typer
from typer.testing import CliRunner

import app
import apps
import release
from shared import settings

ROOT = Path(__file__).parent.parent
TEXTS = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")
}
BEGINNINGS = ("make", "python", "pip", "hf")


def commands():
    """Every command in a shell block, and those within a line, without variables before them."""
    found = set()
    for text in TEXTS.values():
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in [*"\n".join(blocks).splitlines(), *re.findall(r"`([^`\n]+)`", text)]:
            for part in re.sub(r"\s#.*", "", line).split("&&"):
                part = re.sub(r"^(\w+=\S+ )+", "", part.strip())
                if part.split(" ")[0] in BEGINNINGS:
                    found.add(part)
    return sorted(found)


def options(words):
    """The options among the words of a command, without what stands in brackets."""
    return {word.split("=")[0] for word in words if word.startswith("--")}


def check_typer(command, words):
    """A Typer application has the sub-command and the options, and helps."""
    names = [word for word in words[:1] if not word.startswith("-")]
    help_text = CliRunner().invoke(command, [*names, "--help"])
    assert help_text.exit_code == 0, help_text.output
    click = typer.main.get_command(command)
    click = click.commands[names[0]] if names and hasattr(click, "commands") else click
    known = {name for parameter in click.params for name in parameter.opts} | {"--help"}
    assert options(words) <= known


def test_the_guides_have_commands():
    assert len(commands()) > 20
    assert {"make run", "make test", "python app.py"} <= set(commands())


@pytest.mark.parametrize("line", commands())
def test_a_command_exists_with_its_options(line):
    tool, *words = shlex.split(line)
    if tool == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words if "=" not in word} <= set(targets)
    elif tool == "pip":
        assert (ROOT / words[words.index("-r") + 1]).is_file()
    elif tool == "hf":
        assert words[0] in ("auth", "upload") and any(
            each.name == "hf" for each in entry_points(group="console_scripts")
        )
    elif words[0] == "-m" and words[1].startswith("training."):
        check_typer(importlib.import_module(f"{words[1]}.__main__").app, words[2:])
    elif words[0] == "-m":  # a benchmark: its options stand in its source
        source = (ROOT / f"{words[1].replace('.', '/')}.py").read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(source)))
        known = {node.value for node in nodes if isinstance(node, ast.Constant)}
        known |= {f"--{node.arg}".replace("_", "-") for node in nodes if isinstance(node, ast.arg)}
        assert options(words[2:]) <= known
    else:
        check_typer({"app.py": app.command, "release.py": release.command}[words[0]], words[1:])


def test_the_application_of_the_guide_builds_and_answers(tmp_path, monkeypatch):
    (source,) = re.findall(r"```python\n(.*?)```", TEXTS["CONTRIBUTING.md"], re.DOTALL)
    lines = [line for line in source.splitlines() if line]
    assert len(lines) < 40
    folder = tmp_path / "fading"
    folder.mkdir()
    (folder / "tab.py").write_text(source, encoding="utf-8")
    for how in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *how, "--stdin-filename", "apps/fading/tab.py", "-"]
        done = subprocess.run(ruff, input=source, cwd=ROOT, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout
    monkeypatch.setattr(apps, "__path__", [*apps.__path__, str(tmp_path)])
    monkeypatch.setattr(app, "APPLICATIONS", ("fading",))
    site = app.build(settings.read())
    (event,) = [each for each in site.fns.values() if each.api_name == "fading"]
    assert event.fn(0.5)[:4] == [1, 0.5, 0.25, 0.125]
    assert event.fn(1.0)[-1] == 1
    (drawn,) = [each for each in site.fns.values() if any(t[1] == "input" for t in each.targets)]
    assert "<figure" in drawn.fn(0.5) and drawn.fn(0.5) != drawn.fn(0.9)


def test_the_site_serves_the_vectors_that_its_command_names(tmp_path, monkeypatch):
    path = tmp_path / "mine.txt"
    path.write_text("plim 1 0 1\nplum 1 0 0\nglim 0 1 1\nglum 0 1 0.1\n")
    server = Mock()
    monkeypatch.setattr(app, "Server", server)
    monkeypatch.setattr(app, "_listener", Mock())
    monkeypatch.setattr(app, "APPLICATIONS", ("analogies",))
    theirs = dict.fromkeys(("UNROLLED_VECTORS", "KERAS_BACKEND"))  # taken back after the command
    result = CliRunner().invoke(app.command, ["--vectors", str(path)], env=theirs)
    assert result.exit_code == 0, result.output
    site = server.call_args.args[0]
    (event,) = [each for each in site.fns.values() if each.api_name == "analogy"]
    assert event.fn("plim", "plum", "glim")["best"][0]["word"] == "glum"
