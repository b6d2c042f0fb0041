import ctypes
import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

import app
from apps import APPLICATIONS
from shared import bundle, settings

pytestmark = pytest.mark.slow

ROOT = Path(app.__file__).parent


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


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has owners and such links")
@pytest.mark.parametrize("kind", ["link", "file", "folder of somebody else"])
def test_a_folder_for_uploads_that_another_user_made_is_refused(kind, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / f"unrolled-{os.getuid()}"
    if kind == "link":
        folder.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        folder.touch()
    else:
        folder.mkdir()
        user = os.getuid()
        folder = folder.rename(tmp_path / f"unrolled-{user + 1}")
        monkeypatch.setattr(os, "getuid", lambda: user + 1)
    result = CliRunner().invoke(app.command, env={"GRADIO_TEMP_DIR": str(tmp_path)})
    assert result.exit_code == 2
    assert f"{folder} is not a folder of yours" in result.output


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such permissions")
def test_the_folder_for_uploads_is_the_user_s_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    folder = app._upload_folder()
    folder.chmod(0o777)
    assert app._upload_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_port_in_use_ends_with_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app.command, env={"UNROLLED_PORT": port})
    assert result.exit_code == 1
    assert "is in use" in result.output and "UNROLLED_PORT" in result.output
    assert port in result.output


STARTED = """
import ast, inspect, sys
import app
from shared import settings

parsed, parse = [], ast.parse
ast.parse = lambda source, *more, **rest: parsed.append(str(source)) or parse(source, *more, **rest)
app.build(settings.read())
assert "keras" not in sys.modules, "the page waits for Keras"
assert not any("class Textbox" in source for source in parsed), "stubs were written"
assert inspect.getfile(app).endswith("app.py")
app.server.warm_up([])
assert "keras" in sys.modules
assert not {"sklearn", "jax"} & set(sys.modules), "what Keras can do without was imported"
import sklearn, jax
"""


def test_the_site_imports_nothing_that_it_does_not_need():
    done = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


HEAPS = """
import ctypes, threading
import app

app.share_heaps()
together = threading.Barrier(8)

def take():
    together.wait()
    kept = [bytearray(50_000) for _ in range(50)]
    together.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="only glibc has heaps")
def test_threads_share_two_heaps():
    done = subprocess.run([sys.executable, "-c", HEAPS], cwd=ROOT, capture_output=True, text=True)
    assert 1 <= done.stderr.count("Arena ") <= 2, done.stderr


@pytest.fixture(scope="module")
def config():
    """The configuration of the whole site, as Gradio makes it."""
    site, _ = app.build(settings.read())
    return site.get_config_file()


def test_no_event_drops_a_request_that_arrives_before_the_previous_answer(config):
    events = config["dependencies"]
    waiting = [event for event in events if event["queue"] is not False and event["targets"]]
    modes = Counter(event["trigger_mode"] for event in waiting if event["backend_fn"])
    assert set(modes) == {"always_last", "multiple"}, modes
    assert modes["always_last"] > 50


PUBLIC_EVENTS = """
analogy ask ask_batch association backtest calculate caption caption_batch cells_gradients
cells_hold cells_one_line cells_race cells_recall cells_unrolled forecast likeness neighbours
odd_one_out path sentiment sentiment_batch sentiment_templates sentiment_tree translate
translate_batch
"""


def test_the_public_events_keep_their_names(config):
    public = [event for event in config["dependencies"] if event["api_visibility"] == "public"]
    assert sorted(event["api_name"] for event in public) == sorted(PUBLIC_EVENTS.split())


def test_no_page_holds_more_than_a_third_of_the_components_of_the_former_single_page(config):
    former_components, former_events = 605, 166
    assert {"", *APPLICATIONS} <= set(config["page"])
    for path, page in config["page"].items():
        assert len(page["components"]) <= former_components / 3, path
        assert len(page["dependencies"]) <= former_events / 3, path


def test_every_page_has_one_main_heading_and_links_to_all_applications(config):
    html = {part["id"]: str(part["props"].get("value")) for part in config["components"]}
    for path, page in config["page"].items():
        text = "".join(html[number] for number in page["components"])
        assert text.count("<h1>") == 1, path
        assert text.count('aria-current="page"') == (2 if path.startswith("cells") else 1), path
        for name in APPLICATIONS:
            assert f'href="./{name}"' in text, (path, name)


def test_links_into_the_middle_of_a_page_lead_to_a_heading(config):
    html = {part["id"]: str(part["props"].get("value")) for part in config["components"]}
    texts = {
        path: "".join(html[number] for number in page["components"])
        for path, page in config["page"].items()
    }
    links = re.findall(r'href="\./([\w-]+)#([\w-]+)"', "".join(texts.values()))
    assert {path for path, _ in links} >= {"sentiment", "about"}
    for path, anchor in links:
        assert f'<h2 id="{anchor}">' in texts[path], (path, anchor)


def test_a_missing_bundle_disables_its_page_alone(monkeypatch, tmp_path):
    read_card = bundle.read_card
    monkeypatch.setattr(bundle, "read_card", lambda folder: read_card(tmp_path / folder.name))
    site, _ = app.build(settings.read())
    config = json.dumps(site.get_config_file(), default=str)
    assert "This page cannot be used. The model card sentiment/card.json cannot be read." in config
    assert "About Unrolled" in config
