import json
import os
import socket

import pytest
from typer.testing import CliRunner

import app
from shared import bundle, settings


@pytest.fixture(autouse=True)
def environment():
    """What the command sets for the process is taken back after a test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_help_explains_every_setting():
    text = CliRunner().invoke(app.command, ["--help"]).output
    for row in settings.describe():
        assert f"{row.variable}  (default: {row.default})" in text
        assert row.text in text


def test_a_bad_setting_ends_with_a_sentence():
    result = CliRunner().invoke(app.command, env={"UNROLLED_PORT": "eighty"})
    assert result.exit_code == 2
    assert result.output.startswith("UNROLLED_PORT is 'eighty'")


def test_a_port_in_use_ends_with_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app.command, env={"UNROLLED_PORT": port})
    assert result.exit_code == 1
    assert "is in use" in result.output and "UNROLLED_PORT" in result.output
    assert port in result.output


def test_a_missing_bundle_disables_its_page_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "MODELS", tmp_path)
    site = json.dumps(app.build(settings.read()).get_config_file(), default=str)
    assert "This page cannot be used. The model card sentiment/card.json cannot be read." in site
    assert "About Unrolled" in site
