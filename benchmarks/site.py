"""The site under load: `python -m benchmarks.site [--json FILE] [--each N]`.

Starts the real site as a process and calls it over HTTP, as a script would. Measured are the time
from the start to the first answer; then for each page the time of an answer with 1, 8 and 32
clients at once, beside a call that computes nothing; and the resident memory after each page.
"""

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from benchmarks.timing import JsonFile
from shared.compiled import CALLS_BEFORE_XLA
from shared.photos import EXAMPLES

app = typer.Typer(add_completion=False)

ROOT = Path(__file__).parent.parent
CLIENT_COUNTS = (1, 8, 32)
ANSWER_TIMEOUT_SECONDS = 600
WORDS = ["film", "scene", "actor", "story", "music", "light", "road", "river", "winter", "house"]
WORDS += ["garden", "dog", "cat", "bread"]
FIRST_CAPTIONS = {}  # the first caption of each photo, by its path and the model


# Each function draws a query to an event, of one of its models. It returns the arguments (a path is
# uploaded as a file), and a function that says whether an answer belongs to this query.
def _draw_review(rng, model="pretrained"):
    words = rng.choices(WORDS, k=230)
    text = " ".join(f"{word} ," if n % 7 == 6 else word for n, word in enumerate(words))

    def belongs(answer):
        return answer["words"] == text.split() and answer["cell"] == model

    return [text, model], belongs


def _draw_sentence(rng, model="attention"):
    text = f"The {' '.join(rng.choices(WORDS, k=10))}."
    return [text, 4, 1.0, model], lambda answer: answer["sentences"][0]["english"] == text


def _draw_photo(rng, model="lstm"):
    path = rng.choice(list(EXAMPLES.values())).path

    def belongs(answer):  # a photo has the same caption for every client
        return answer["caption"] == FIRST_CAPTIONS.setdefault((path, model), answer["caption"])

    return [path, 3, 1.0, model], belongs


def _draw_question(rng, model="lstm"):
    path = rng.choice(list(EXAMPLES.values())).path
    words = ["Is", "this", "a", rng.choice(WORDS), "or", "a", rng.choice(WORDS)]

    def belongs(answer):
        return [word["text"] for word in answer["words"]] == words

    return [path, " ".join(words) + "?", model], belongs


def _draw_prices(rng, model="lstm"):
    price, rows = 100.0, ["date,close"]
    for day in range(260):
        price *= 1 + rng.gauss(0, 0.01)
        rows.append(f"{2022 + day // 200}-{day % 200 // 20 + 1:02}-{day % 20 + 1:02},{price:.4f}")
    last = round(price, 4)
    return ["\n".join(rows), 5, model], lambda answer: abs(answer["last"] - last) < 1e-6


def _draw_sequence(rng, model="gru"):
    numbers = [round(rng.uniform(-1, 1), 2) for _ in range(rng.randint(2, 6))]
    text = " ".join(map(str, numbers))
    return [text, model, 2, 0], lambda answer: len(answer["steps"]) == len(numbers)


def _draw_words(rng):
    words = rng.sample(WORDS, 4)
    return [words], lambda answer: sorted(row["word"] for row in answer) == sorted(words)


QUERIES = {
    "/sentiment": _draw_review,
    "/translate": _draw_sentence,
    "/caption": _draw_photo,
    "/ask": _draw_question,
    "/forecast": _draw_prices,
    "/cells_unrolled": _draw_sequence,
    "/odd_one_out": _draw_words,
}
CELLS = ("lstm", "gru", "rnn")
MODELS = {
    "/sentiment": ("pretrained", *CELLS),
    "/translate": ("attention", "small", "gru", "plain", "reversed"),
    "/caption": CELLS,
    "/ask": CELLS,
    "/forecast": CELLS,
    "/cells_unrolled": CELLS,
}
EMPTY_REVIEW = ("/sentiment", ["", "lstm"])  # refused without running any network


@contextmanager
def run_site():
    """Run the site as a process of its own; yields the process and its address once it is up.

    It believes the addresses of visitors in `X-Forwarded-For`.
    """
    port = _find_free_port()
    settings = {"PORT": str(port), "LOG_LEVEL": "warning", "PROXIES": "1"}
    environment = os.environ | {f"UNROLLED_{name}": value for name, value in settings.items()}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment)
    try:
        while not _is_listening(port):
            if process.poll() is not None:
                raise RuntimeError("the site did not start")
            time.sleep(0.05)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def open_client(address, clients):
    """An `httpx.AsyncClient` for several clients at once."""
    limits = httpx.Limits(max_connections=2 * clients)
    return httpx.AsyncClient(
        base_url=address, timeout=ANSWER_TIMEOUT_SECONDS, limits=limits, verify=False
    )


def visitor_headers(number):
    """The headers of a request of one of many visitors."""
    return {"x-forwarded-for": f"198.18.{number // 250}.{number % 250 + 1}"}


async def call_event(http, event, arguments, visitor=0):
    """Call an event of the API and return its answer; paths in `arguments` are uploaded.

    Raises:
        RuntimeError: if there is no answer; the message is what came instead.
    """
    headers = visitor_headers(visitor)
    data = [
        await _upload(http, argument, headers) if isinstance(argument, Path) else argument
        for argument in arguments
    ]
    queued = await http.post(f"/gradio_api/call{event}", json={"data": data}, headers=headers)
    queued.raise_for_status()
    stream = await http.get(f"/gradio_api/call{event}/{queued.json()['event_id']}")
    kind, data = stream.text.strip().rsplit("event: ", 1)[1].split("\n", 1)
    if kind != "complete":
        raise RuntimeError(f"{kind} {data}")
    return json.loads(data.removeprefix("data: "))[0]


async def _upload(http, path, headers):
    """Upload a file; returns the argument of an event that stands for it."""
    files = {"files": (path.name, path.read_bytes())}
    response = await http.post("/gradio_api/upload", files=files, headers=headers)
    response.raise_for_status()
    return {"path": response.json()[0], "meta": {"_type": "gradio.FileData"}}


async def find_events(http):
    """The events of `QUERIES` that the running site has."""
    endpoints = (await http.get("/gradio_api/info")).json()["named_endpoints"]
    return [event for event in QUERIES if event in endpoints]


def _find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def resident_megabytes(pid):
    """The resident memory of a process, or None where the system does not have /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024)


def _cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(pid, timeout_seconds=180):
    """Wait until the process has used less than a tenth of a core for three seconds."""
    if not Path(f"/proc/{pid}/stat").exists():
        time.sleep(60)
        return
    for _ in range(timeout_seconds // 3):
        before = _cpu_seconds(pid)
        time.sleep(3)
        if _cpu_seconds(pid) - before < 0.3:
            return


async def _measure_calls(address, call, clients, calls_per_client):
    """Times of `call(http, number)` by several clients at once, as a dict."""
    async with open_client(address, clients) as http:

        async def run_client(client):
            seconds = []
            for turn in range(calls_per_client):
                start = time.perf_counter()
                await call(http, client * calls_per_client + turn)
                seconds.append(time.perf_counter() - start)
            return seconds

        start = time.perf_counter()
        seconds_by_client = await asyncio.gather(*map(run_client, range(clients)))
        wall_seconds = time.perf_counter() - start
    times = sorted(second for seconds in seconds_by_client for second in seconds)
    return {
        "p50_ms": round(1e3 * statistics.median(times), 1),
        "p95_ms": round(1e3 * times[int(0.95 * (len(times) - 1))], 1),
        "answers_per_second": round(len(times) / wall_seconds, 1),
    }


def _make_call(event, *model):
    async def call(http, number):
        arguments, belongs = QUERIES[event](random.Random(number), *model)
        if not belongs(await call_event(http, event, arguments, number)):
            raise RuntimeError(f"{event} returned the answer to another query")

    return call


async def _call_without_computation(http, number):
    try:
        await call_event(http, *EMPTY_REVIEW, number)
    except RuntimeError:
        return
    raise RuntimeError("an empty review was answered")


async def _call_first_event(address, event):
    """Call an event once; returns the events that the site has."""
    async with open_client(address, 1) as http:
        await _make_call(event)(http, 0)
        return await find_events(http)


def use_every_model(address, pid):
    """Call every model of every page until its graphs are compiled, and wait for that."""
    for event in asyncio.run(_call_first_event(address, "/sentiment")):
        for model in MODELS.get(event, ()):
            asyncio.run(_measure_calls(address, _make_call(event, model), 1, 2 * CALLS_BEFORE_XLA))
    wait_until_idle(pid)


def measure(each):
    """All figures, as a dict; `each` is about the number of answers for each row."""
    start = time.perf_counter()
    with run_site() as (process, address):
        figures = {"page_up_s": round(time.perf_counter() - start, 1)}
        events = asyncio.run(_call_first_event(address, "/sentiment"))
        figures["first_answer_s"] = round(time.perf_counter() - start, 1)
        wait_until_idle(process.pid)  # for the end of the background warm-up
        figures["megabytes"] = {"warmed up": resident_megabytes(process.pid)}
        figures["nothing computed"] = {
            "1 client": asyncio.run(_measure_calls(address, _call_without_computation, 1, 4 * each))
        }
        for event in events:
            figures[event] = _measure_event(address, process.pid, event, each)
            figures["megabytes"][event] = resident_megabytes(process.pid)
        use_every_model(address, process.pid)
        figures["megabytes"]["every model used"] = resident_megabytes(process.pid)
        return figures


def _measure_event(address, pid, event, each):
    """Times of an event with different numbers of clients, as a dict of dicts."""
    call = _make_call(event)
    # Call it until every shape that the queries can have is compiled.
    asyncio.run(_measure_calls(address, call, 4, 3 * CALLS_BEFORE_XLA))
    wait_until_idle(pid)
    rows = {}
    for clients in CLIENT_COUNTS:
        calls = max(each // clients, 2) if clients > 1 else 2 * each
        name = f"{clients} client{'s' * (clients > 1)}"
        rows[name] = asyncio.run(_measure_calls(address, call, clients, calls))
    return rows


@app.command()
def main(
    json_file: JsonFile = None,
    each: Annotated[int, typer.Option(help="About how many answers for each row.")] = 100,
):
    """Measure the site over HTTP with 1, 8 and 32 clients."""
    figures = measure(each)
    print(f"page up after {figures['page_up_s']} s, first answer {figures['first_answer_s']} s")
    for event, rows in figures.items():
        if not isinstance(rows, dict) or event == "megabytes":
            continue
        for name, row in rows.items():
            print(
                f"{event:18}{name:12}p50 {row['p50_ms']:8.1f} ms   p95 {row['p95_ms']:8.1f} ms"
                f"   {row['answers_per_second']:6.1f} answers/s"
            )
    for name, value in figures["megabytes"].items():
        print(f"resident memory, {name}: {value} MB")
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
