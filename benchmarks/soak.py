"""Many visitors at once, for minutes: `python -m benchmarks.soak [--clients 64] [--minutes 5]`.

Each visitor asks one event of the API after another, of all pages in turn, and checks that the
answer is to its own input. Printed are the answers, what went wrong, the times and the memory of
the site after the first fifth and at the end.
"""

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.site import (
    ASKED,
    MODELS,
    ask,
    megabytes,
    published,
    running,
    use_every_model,
    visitors,
)


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
    visits, pages = Counter(), Counter()
    async with visitors(address, clients) as http:
        events = await published(http)

        async def visitor(number):
            dice = random.Random(f"{seed} {number}")
            turn = number
            while time.monotonic() < end:
                event = events[turn % len(events)]
                model = [dice.choice(MODELS[event])] if event in MODELS else []
                arguments, right = ASKED[event](dice, *model)
                turn += 1
                start = time.monotonic()
                try:
                    found = await ask(http, event, arguments)
                    if not right(found):
                        wrong[f"{event}: another's answer"] += 1
                except Exception as problem:  # whatever it is, it is counted and told
                    wrong[f"{event}: {type(problem).__name__} {problem}"[:200]] += 1
                times.append(time.monotonic() - start)
                visits[number] += 1
                pages[event] += 1

        async def watch():
            await asyncio.sleep(seconds / 5)
            early.append(memory())

        await asyncio.gather(watch(), *map(visitor, range(clients)))
    times.sort()
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": len(times),
        "answers_by_page": dict(pages),
        "fewest_of_a_client": min(visits[number] for number in range(clients)),
        "answers_per_second": round(len(times) / seconds, 1),
        "wrong": dict(wrong),
        "p50_ms": round(1e3 * statistics.median(times)),
        "p95_ms": round(1e3 * times[int(0.95 * (len(times) - 1))]),
        "longest_ms": round(1e3 * times[-1]),
        "megabytes_early": early[0],
        "megabytes_late": memory(),
    }


def main(
    clients: int = 64,
    minutes: float = 5.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
):
    with running() as (process, address):
        use_every_model(address, process.pid)
        memory = partial(megabytes, process.pid)
        figures = asyncio.run(soak(address, clients, 60 * minutes, memory=memory))
    for name, value in figures.items():
        print(f"{name:20}{value}")
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n")
    raise typer.Exit(1 if figures["wrong"] else 0)


if __name__ == "__main__":
    typer.run(main)
