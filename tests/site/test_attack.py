"""Whatever is sent to the site gets an answer or a sentence: no trace, no path, no silence.

`UNROLLED_FUZZ=1000` asks that often for every event; without it the test takes seconds.
"""

import json
import os
import re
import uuid
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_strange_files import large_photos, runs, search, structures

COUNT = int(os.environ.get("UNROLLED_FUZZ", 5))
TIMEOUT_SECONDS = 300
OUTSIDE = "http://127.0.0.1:9/secret.png"
FORGED = ("/etc/passwd", "app.py", "../../etc/passwd", OUTSIDE, "https://example.org/a.png")
FILES = [{"path": path, "meta": {"_type": "gradio.FileData"}, "url": OUTSIDE} for path in FORGED]
# Gradio does not move what says that it is a stream; nor does it fetch such an address.
FILES += [{**file, "is_stream": True} for file in FILES if "http" not in file["path"]]
HOSTILE = [
    "",
    " \t\n",
    "\x00\x1b[31m",
    "/etc/passwd",
    "../../../etc/passwd",
    "file:///etc/passwd",
    OUTSIDE,
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} %s%n",
    "\ud83d lone",
    "a" * 100_000,
    "word " * 5_000,
    "👩‍👩‍👧‍👦" * 200,
    "العربية עברית",
    "NaN",
    "1e999",
]
NUMBERS = [-1, 0, 1, 2, 3, 10, 12, 20, 50, 10**9, 10**30]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80), runs(20_000))
LISTS = st.one_of(
    st.lists(TEXTS, max_size=5),
    st.builds(lambda text, count: [text[:1_000]] * count, TEXTS, st.sampled_from([16, 301, 2_000])),
)
ANYTHING = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    st.floats(allow_nan=True),
    LISTS,
    st.sampled_from(FILES),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=20),
)


def fitting(kind):
    """Values of the type that an event documents."""
    if kind.startswith("Literal"):
        return st.sampled_from(re.findall(r"\w+", kind.removeprefix("Literal")))
    if kind.startswith("list"):
        return LISTS
    if kind == "int":
        return st.sampled_from(NUMBERS)
    if kind == "float":
        return st.one_of(st.floats(-3, 3), st.floats())
    return TEXTS


@pytest.fixture(scope="module")
def http(site):
    with httpx.Client(base_url=site, timeout=TIMEOUT_SECONDS, verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def events(http):
    return http.get("/gradio_api/info").json()["named_endpoints"]


def ask(http, event, arguments):
    """The last event of the answer and its data; (status, body) where it was not even begun."""
    content = json.dumps({"data": arguments})
    headers = {"content-type": "application/json"}
    begun = http.post(f"/gradio_api/call{event}", content=content, headers=headers)
    if begun.status_code != 200:
        return begun.status_code, begun.text
    text = http.get(f"/gradio_api/call{event}/{begun.json()['event_id']}").text
    kind, data = text.strip().rsplit("event: ", 1)[1].split("\n", 1)
    return kind, data.removeprefix("data: ")


def test_every_event_answers_or_says_why_not(http, events):
    @search(COUNT)
    @given(st.data())
    def one(data):
        for event, about in events.items():
            kinds = [parameter["python_type"]["type"] for parameter in about["parameters"]]
            likely = st.integers(0, 3)  # three in four arguments are of the right type
            arguments = [
                data.draw(fitting(kind) if data.draw(likely) else ANYTHING) for kind in kinds
            ]
            if data.draw(st.integers(0, 9)) == 0:
                arguments = data.draw(st.sampled_from([arguments[:-1], [*arguments, "more"]]))
            kind, said = ask(http, event, arguments)
            where = f"{event} {str(arguments)[:300]}: {kind} {said[:300]}"
            if kind == "complete":
                json.loads(said)
                continue
            assert kind == "error" or 400 <= kind < 500, where
            assert said not in ("", "null") and json.loads(said).get("error", True), where
            for leak in ("Traceback", "site-packages", ".py", str(Path(__file__).parents[2])):
                assert leak not in said, where

    one()


def test_a_request_of_any_structure_gets_a_sentence(http, events):
    paths = [f"call{event}" for event in events]
    paths += ["queue/join", "component_server", "cancel", "reset", "upload"]
    wholes = ["{}", '{{"data": {}}}', '{{"data": [{}], "session_hash": "a", "fn_index": 0}}']

    @search(COUNT * 10)
    @given(st.sampled_from(paths), st.sampled_from(wholes), structures(2**17))
    def one(path, whole, text):
        content = whole.format(text).encode("utf-8", "surrogatepass")
        headers = {"content-type": "application/json"}
        answer = http.post(f"/gradio_api/{path}", content=content, headers=headers)
        where = f"{path} {content[:300]}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code == 200 or 400 <= answer.status_code < 500, where
        assert answer.status_code == 200 or answer.json()["detail"], where
        assert http.get("/gradio_api/app_id").status_code == 200

    one()


def test_a_photo_of_any_structure_gets_a_caption_or_a_sentence(http):
    @search(COUNT * 4)
    @given(large_photos())
    def one(data):
        (path,) = http.post("/gradio_api/upload", files={"files": ("a.jpg", data)}).json()
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        kind, said = ask(http, "/caption", [photo, 3, 1.0, "lstm"])
        assert kind == "complete" or json.loads(said)["error"].endswith("."), (kind, said)

    one()


def ask_as_the_page(http, number, arguments):
    """The last message of the page's event of this number."""
    session = uuid.uuid4().hex
    content = {"data": arguments, "fn_index": number, "session_hash": session}
    begun = http.post("/gradio_api/queue/join", json=content)
    if begun.status_code != 200:
        return {"success": False, "output": {"error": begun.json()["detail"]}}
    with http.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ") or "{}")
            if message.get("msg") == "process_completed":
                return message


def test_no_event_of_the_page_takes_a_file_that_was_not_uploaded(http):
    config = http.get("/config").json()
    kinds = {part["id"]: part["type"] for part in config["components"]}
    tried = 0
    for event in config["dependencies"]:
        takes = [kinds[number] != "state" for number in event["inputs"]]
        if not any(takes) or not event["backend_fn"]:
            continue
        # States cannot be sent; in any other place a file must be refused, and nothing be run.
        for file in FILES if COUNT > 5 else [FILES[tried % len(FILES)]]:
            message = ask_as_the_page(http, event["id"], [file if each else None for each in takes])
            where = f"{event['api_name']} {file}: {message}"[:600]
            assert not message["success"] and message["output"]["error"], where
            for leak in ("passwd", "/gradio", "site-packages"):
                assert leak not in json.dumps(message["output"]), where
        tried += 1
    assert tried > 50


def test_a_file_that_was_uploaded_is_taken(http):
    """By the events of the page of reviews that refuse all other files."""
    config = http.get("/config").json()
    kinds = {part["id"]: part["type"] for part in config["components"]}
    number, _ = (  # the upload comes first, the choice of a column second
        event["id"]
        for event in config["dependencies"]
        if event["id"] in config["page"]["sentiment"]["dependencies"]
        and "file" in [kinds[part] for part in event["inputs"]]
    )
    (path,) = http.post("/gradio_api/upload", files={"files": ("a.csv", b"text\nfine\n")}).json()
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    message = ask_as_the_page(http, number, [None, file, "lstm"])
    assert message["success"] and "fine" in json.dumps(message["output"])


def test_an_unknown_event_is_said_to_be_none(http):
    assert ask(http, "/nothing", []) == (404, '{"detail":"There is nothing here."}')
    message = ask_as_the_page(http, 10**6, [])
    assert message["output"]["error"] == "There is nothing here."


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=app.py",
        "/gradio_api/file=../../etc/passwd",
        "/gradio_api/file=models/sentiment/card.json",
        f"/gradio_api/file={OUTSIDE}",
        f"/gradio_api/proxy={OUTSIDE}",
        "/static/../../app.py",
        "/gradio_api/stream/x/y/0/playlist.m3u8",
        "/gradio_api/file=https://example.org/a.png",
    ],
)
def test_no_file_of_the_machine_is_handed_out(http, path):
    answer = http.get(path)
    assert answer.status_code in (400, 403, 404, 422), answer.status_code
    assert "root:" not in answer.text
    assert "import" not in answer.text
    assert "location" not in answer.headers


def test_an_upload_cannot_leave_its_folder(http):
    sent = http.post("/gradio_api/upload", files={"files": ("../../../tmp/evil.csv", b"a,b\n")})
    assert sent.status_code == 200
    (path,) = sent.json()
    assert ".." not in path
    assert Path(path).name == "evil.csv"
    assert not Path("/tmp/evil.csv").exists()


def test_more_than_the_limit_is_refused(http):
    sent = http.post("/gradio_api/upload", files={"files": ("big.csv", b"0" * (21 * 2**20))})
    assert sent.status_code == 413
