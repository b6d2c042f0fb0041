from pathlib import Path

import pytest

from shared import settings
from shared.errors import UserError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    for row in settings.describe():
        monkeypatch.delenv(row.variable, raising=False)


def test_without_variables_the_site_listens_on_this_machine_only():
    read = settings.read()
    assert (read.host, read.port) == ("127.0.0.1", 7860)


def test_the_default_data_folder_lies_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings.read().data == tmp_path / ".cache" / "unrolled"


def test_every_setting_follows_its_variable(monkeypatch):
    values = {
        "host": "0.0.0.0",
        "port": 8001,
        "data": Path("/somewhere/else"),
        "log_level": "warning",
        "max_upload_mb": 3,
        "max_characters": 400,
        "max_rows": 50,
        "requests_per_minute": 90,
        "proxies": 2,
        "root_path": "/unrolled",
        "frame_ancestors": "'self' https://school.example",
        "vectors": "mine.bin",
    }
    for name, value in values.items():
        monkeypatch.setenv(settings.variable(name), str(value))
    assert settings.read().model_dump() == values


def test_a_tilde_and_capitals_are_understood(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UNROLLED_DATA", "~/corpora")
    monkeypatch.setenv("UNROLLED_LOG_LEVEL", "DEBUG")
    read = settings.read()
    assert (read.data, read.log_level) == (tmp_path / "corpora", "debug")


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("UNROLLED_PORT", "")
    assert settings.read().port == 7860


def test_a_final_slash_of_the_root_path_is_left_out(monkeypatch):
    for value, path in (("/unrolled/", "/unrolled"), ("/a/b", "/a/b"), ("/", None)):
        monkeypatch.setenv("UNROLLED_ROOT_PATH", value)
        assert settings.read().root_path == path


def test_on_a_space_the_site_is_reachable_from_outside(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/unrolled")
    assert (settings.read().host, settings.read().proxies) == ("0.0.0.0", 1)
    monkeypatch.setenv("UNROLLED_HOST", "127.0.0.1")
    assert settings.read().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("UNROLLED_PORT", "eighty", "valid integer"),
        ("UNROLLED_PORT", "70000", "less than or equal to 65535"),
        ("UNROLLED_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("UNROLLED_MAX_ROWS", "0", "greater than or equal to 1"),
        ("UNROLLED_DATA", "~nobody-of-this-name/x", "no such user"),
        ("UNROLLED_ROOT_PATH", "unrolled", "a path such as /unrolled"),
        ("UNROLLED_ROOT_PATH", "/../etc", "a path such as /unrolled"),
        ("UNROLLED_ROOT_PATH", "https://a.example/x", "a path such as /unrolled"),
        ("UNROLLED_FRAME_ANCESTORS", "'self'; script-src *", "sites with spaces between"),
        ("UNROLLED_FRAME_ANCESTORS", "https://a.example, https://b.example", "sites with spaces"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(monkeypatch, variable, value, says):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError) as refusal:
        settings.read()
    sentence = str(refusal.value)
    assert sentence.startswith(f"{variable} is {value!r}")
    assert says in sentence
    assert "\n" not in sentence


def test_describe_has_a_full_row_for_every_setting():
    rows = settings.describe()
    assert [row.name for row in rows] == list(settings.Settings.model_fields)
    assert all(row.variable == f"UNROLLED_{row.name.upper()}" for row in rows)
    assert all(row.default and row.text for row in rows)
    assert {row.name: row.default for row in rows}["data"] == str(Path("~/.cache/unrolled"))
