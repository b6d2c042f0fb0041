"""Many visitors at once, for minutes: `python -m benchmarks.soak [--clients 64] [--minutes 5]`.

Each visitor asks one event of the API after another, of all pages in turn, and checks that the
answer is to its own input. Printed are the answers, what went wrong, the times and the memory of
the site after the first fifth and at the end.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import httpx
import typer

from benchmarks.site import ROOT, _answered, _free_port, _megabytes

WORDS = ["film", "scene", "actor", "story", "music", "light", "road", "river", "winter", "house"]
WORDS += ["garden", "dog", "cat", "bread"]
PATIENCE = 600  # seconds that a visitor waits for one answer at most


def _sentence(dice):
    return " ".join(dice.choices(WORDS, k=dice.randint(4, 12)))


def _review(dice):
    text = _sentence(dice)
    return (
        "/sentiment",
        [text, dice.choice(["lstm", "gru", "rnn"])],
        (lambda found: found["words"] == text.split()),
    )


def _translation(dice):
    text = f"The {_sentence(dice)}."
    return (
        "/translate",
        [text, 4, 1.0, "attention"],
        (lambda found: found["sentences"][0]["english"] == text),
    )


def _prices(dice):
    price, rows = 100.0, ["date,close"]
    for day in range(260):
        price *= 1 + dice.gauss(0, 0.01)
        rows.append(f"{2022 + day // 200}-{day % 200 // 20 + 1:02}-{day % 20 + 1:02},{price:.4f}")
    return (
        "/forecast",
        ["\n".join(rows), 5, "lstm"],
        (lambda found: abs(found["last"] - round(price, 4)) < 1e-6),
    )


def _odd(dice):
    words = dice.sample(WORDS, 4)
    return (
        "/odd_one_out",
        [words],
        (lambda found: sorted(each["word"] for each in found) == sorted(words)),
    )


def _unrolled(dice):
    numbers = [round(dice.uniform(-1, 1), 2) for _ in range(dice.randint(2, 6))]
    return (
        "/cells_unrolled",
        [" ".join(map(str, numbers)), "gru", 2, 0],
        (lambda found: len(found["steps"]) == len(numbers)),
    )


ASKED = (_review, _translation, _prices, _odd, _unrolled)


async def soak(address, clients, seconds, seed=0, memory=lambda: None):
    """Let visitors ask until the time is over; returns all figures as a dict.

    Args:
        address: Of the running site.
        clients: How many visitors ask at once.
        seconds: How long.
        seed: Of what they ask.
        memory: Function that gives the site's resident megabytes.
    """
    end = time.monotonic() + seconds
    times, wrong, early = [], Counter(), []
    limits = httpx.Limits(max_connections=2 * clients)
    async with httpx.AsyncClient(
        base_url=address, timeout=PATIENCE, limits=limits, verify=False
    ) as http:
        documented = (await http.get("/gradio_api/info")).json()["named_endpoints"]
        asked = [make for make in ASKED if make(random.Random(0))[0] in documented]

        async def visitor(number):
            dice = random.Random(f"{seed} {number}")
            turn = number
            while time.monotonic() < end:
                event, arguments, right = asked[turn % len(asked)](dice)
                turn += 1
                start = time.monotonic()
                try:
                    found = await _ask(http, event, arguments)
                    if not right(found):
                        wrong[f"{event}: another's answer"] += 1
                except Exception as problem:  # whatever it is, it is counted and told
                    wrong[f"{event}: {type(problem).__name__} {problem}"[:200]] += 1
                times.append(time.monotonic() - start)

        async def watch():
            await asyncio.sleep(seconds / 5)
            early.append(memory())

        await asyncio.gather(watch(), *map(visitor, range(clients)))
    times.sort()
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": len(times),
        "answers_per_second": round(len(times) / seconds, 1),
        "wrong": dict(wrong),
        "p50_ms": round(1e3 * statistics.median(times)),
        "p95_ms": round(1e3 * times[int(0.95 * (len(times) - 1))]),
        "longest_ms": round(1e3 * times[-1]),
        "megabytes_early": early[0],
        "megabytes_late": memory(),
    }


async def _ask(http, event, arguments):
    """The answer of an event, or an exception with what came instead."""
    begun = await http.post(f"/gradio_api/call{event}", json={"data": arguments})
    begun.raise_for_status()
    answer = await http.get(f"/gradio_api/call{event}/{begun.json()['event_id']}")
    kind, data = answer.text.strip().rsplit("event: ", 1)[1].split("\n", 1)
    if kind != "complete":
        raise RuntimeError(f"{kind} {data}")
    return json.loads(data.removeprefix("data: "))[0]


def main(
    clients: int = 64,
    minutes: float = 5.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
):
    port = _free_port()
    environment = {**os.environ, "UNROLLED_PORT": str(port), "UNROLLED_LOG_LEVEL": "warning"}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment)
    try:
        while not _answered(port):
            time.sleep(0.2)
        figures = asyncio.run(
            soak(
                f"http://127.0.0.1:{port}",
                clients,
                60 * minutes,
                memory=lambda: _megabytes(process.pid),
            )
        )
    finally:
        process.terminate()
        process.wait(10)
    for name, value in figures.items():
        print(f"{name:20}{value}")
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n")
    raise typer.Exit(1 if figures["wrong"] else 0)


if __name__ == "__main__":
    typer.run(main)
