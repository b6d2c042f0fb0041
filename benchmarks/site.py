"""The site under visitors: `python -m benchmarks.site [--json FILE]`.

Starts the real site as a process and asks it over HTTP, as a script would: time from the start to
the first answer, then for each page the time of an answer with 1, 8 and 32 clients at once, beside
a call that computes nothing, and resident memory after each.
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

from shared.compiled import CALLS_BEFORE_XLA
from shared.photos import EXAMPLES

ROOT = Path(__file__).parent.parent
CLIENTS = (1, 8, 32)
PATIENCE = 600  # seconds that a visitor waits for one answer at most
WORDS = ["film", "scene", "actor", "story", "music", "light", "road", "river", "winter", "house"]
WORDS += ["garden", "dog", "cat", "bread"]
CAPTIONS = {}  # what each photo was called first, by its path and the model


# What a visitor asks of each page, drawn from `dice`, of one of its models: the arguments of the
# event (a path is sent as a file), and a function that says whether an answer is to them.
def _review(dice, model="pretrained"):
    words = dice.choices(WORDS, k=230)
    text = " ".join(f"{word} ," if n % 7 == 6 else word for n, word in enumerate(words))
    return [text, model], lambda found: found["words"] == text.split() and found["cell"] == model


def _translation(dice, model="attention"):
    text = f"The {' '.join(dice.choices(WORDS, k=10))}."
    return [text, 4, 1.0, model], lambda found: found["sentences"][0]["english"] == text


def _photo(dice, model="lstm"):
    path = dice.choice(list(EXAMPLES.values())).path

    def right(found):  # the same photo has the same caption, whoever asks
        return found["caption"] == CAPTIONS.setdefault((path, model), found["caption"])

    return [path, 3, 1.0, model], right


def _question(dice, model="lstm"):
    path = dice.choice(list(EXAMPLES.values())).path
    words = ["Is", "this", "a", dice.choice(WORDS), "or", "a", dice.choice(WORDS)]

    def right(found):
        return [word["text"] for word in found["words"]] == words

    return [path, " ".join(words) + "?", model], right


def _prices(dice, model="lstm"):
    price, rows = 100.0, ["date,close"]
    for day in range(260):
        price *= 1 + dice.gauss(0, 0.01)
        rows.append(f"{2022 + day // 200}-{day % 200 // 20 + 1:02}-{day % 20 + 1:02},{price:.4f}")
    last = round(price, 4)
    return ["\n".join(rows), 5, model], lambda found: abs(found["last"] - last) < 1e-6


def _unrolled(dice, model="gru"):
    numbers = [round(dice.uniform(-1, 1), 2) for _ in range(dice.randint(2, 6))]
    text = " ".join(map(str, numbers))
    return [text, model, 2, 0], lambda found: len(found["steps"]) == len(numbers)


def _odd(dice):
    words = dice.sample(WORDS, 4)
    return [words], lambda found: sorted(each["word"] for each in found) == sorted(words)


ASKED = {
    "/sentiment": _review,
    "/translate": _translation,
    "/caption": _photo,
    "/ask": _question,
    "/forecast": _prices,
    "/cells_unrolled": _unrolled,
    "/odd_one_out": _odd,
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
REFUSED = ("/sentiment", ["", "lstm"])  # an empty box is answered without any network


@contextmanager
def running():
    """The site as a process of its own; yields it and its address once the page is up."""
    port = _free_port()
    environment = {**os.environ, "UNROLLED_PORT": str(port), "UNROLLED_LOG_LEVEL": "warning"}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment)
    try:
        while not _answered(port):
            if process.poll() is not None:
                raise RuntimeError("the site did not start")
            time.sleep(0.05)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def visitors(address, count):
    """An `httpx.AsyncClient` for so many visitors at once."""
    limits = httpx.Limits(max_connections=2 * count)
    return httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits, verify=False)


async def ask(http, event, arguments):
    """The answer of an event of the API.

    Raises:
        RuntimeError: if none came; the message is what came instead.
    """
    sent = [await _sent(http, each) if isinstance(each, Path) else each for each in arguments]
    begun = await http.post(f"/gradio_api/call{event}", json={"data": sent})
    begun.raise_for_status()
    answer = await http.get(f"/gradio_api/call{event}/{begun.json()['event_id']}")
    kind, data = answer.text.strip().rsplit("event: ", 1)[1].split("\n", 1)
    if kind != "complete":
        raise RuntimeError(f"{kind} {data}")
    return json.loads(data.removeprefix("data: "))[0]


async def _sent(http, path):
    """A file uploaded, as an argument of an event."""
    files = {"files": (path.name, path.read_bytes())}
    sent = await http.post("/gradio_api/upload", files=files)
    sent.raise_for_status()
    return {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}


async def published(http):
    """The events of `ASKED` that the running site has."""
    documented = (await http.get("/gradio_api/info")).json()["named_endpoints"]
    return [event for event in ASKED if event in documented]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answered(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def megabytes(pid):
    status = Path(f"/proc/{pid}/status")
    if not status.exists():  # only Linux tells
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024)


def _processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(pid, longest=180):
    """Until the site has used less than a tenth of a core for three seconds."""
    if not Path(f"/proc/{pid}/stat").exists():
        time.sleep(60)
        return
    for _ in range(longest // 3):
        before = _processor_seconds(pid)
        time.sleep(3)
        if _processor_seconds(pid) - before < 0.3:
            return


async def _times(address, call, clients, each):
    """Figures of `call(http, number)`, `each` by every one of the clients at once."""
    async with visitors(address, clients) as http:

        async def one(client):
            seconds = []
            for turn in range(each):
                start = time.perf_counter()
                await call(http, client * each + turn)
                seconds.append(time.perf_counter() - start)
            return seconds

        start = time.perf_counter()
        parts = await asyncio.gather(*map(one, range(clients)))
        wall = time.perf_counter() - start
    times = sorted(second for part in parts for second in part)
    return {
        "p50_ms": round(1e3 * statistics.median(times), 1),
        "p95_ms": round(1e3 * times[int(0.95 * (len(times) - 1))], 1),
        "answers_per_second": round(len(times) / wall, 1),
    }


def _asking(event, *model):
    async def call(http, number):
        arguments, right = ASKED[event](random.Random(number), *model)
        if not right(await ask(http, event, arguments)):
            raise RuntimeError(f"{event} gave another's answer")

    return call


async def _refused(http, number):
    try:
        await ask(http, *REFUSED)
    except RuntimeError:
        return
    raise RuntimeError("an empty review was answered")


async def _first(address, event):
    async with visitors(address, 1) as http:
        await _asking(event)(http, 0)
        return await published(http)


def use_every_model(address, pid):
    """Ask every model of every page often enough for its graphs to be compiled, and wait."""
    for event in asyncio.run(_first(address, "/sentiment")):
        for model in MODELS.get(event, ()):
            asyncio.run(_times(address, _asking(event, model), 1, 2 * CALLS_BEFORE_XLA))
    wait_until_idle(pid)


def measure(each):
    """All figures, as a dict; `each` is the number of answers that a client asks for."""
    start = time.perf_counter()
    with running() as (process, address):
        figures = {"page_up_s": round(time.perf_counter() - start, 1)}
        events = asyncio.run(_first(address, "/sentiment"))
        figures["first_answer_s"] = round(time.perf_counter() - start, 1)
        wait_until_idle(process.pid)  # the background warm-up ends
        figures["megabytes"] = {"warmed up": megabytes(process.pid)}
        figures["nothing computed"] = {
            "1 client": asyncio.run(_times(address, _refused, 1, 4 * each))
        }
        for event in events:
            # Every shape of what is drawn must have been asked for often.
            asyncio.run(_times(address, _asking(event), 4, 3 * CALLS_BEFORE_XLA))
            wait_until_idle(process.pid)
            figures[event] = {}
            for clients in CLIENTS:
                name = f"{clients} client{'s' * (clients > 1)}"
                asked = max(each // clients, 2) if clients > 1 else 2 * each
                found = asyncio.run(_times(address, _asking(event), clients, asked))
                figures[event][name] = found
            figures["megabytes"][event] = megabytes(process.pid)
        use_every_model(address, process.pid)
        figures["megabytes"]["every model used"] = megabytes(process.pid)
        return figures


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    each: Annotated[int, typer.Option(help="Answers of each row, about.")] = 100,
):
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
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
