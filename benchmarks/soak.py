"""Many visitors at once, for minutes: `python -m benchmarks.soak [--clients 64] [--minutes 5]`.

Each visitor asks one event of the API after another, of all pages in turn, and checks that the
answer is to its own input. Now and then one leaves before the answer, and asks something else.
Beside them one sends batches and one trains. Printed are the answers, what went wrong, the times
of single answers, and the memory of the site; where it grew, or an answer was lost or another's,
the command fails.
"""

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from functools import partial
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.site import (
    ASKED,
    MODELS,
    WORDS,
    ask,
    megabytes,
    published,
    running,
    use_every_model,
    visitors,
)

LEAVING = 0.1  # share of questions whose visitor does not wait for the answer
FLAT = 1.05  # most that memory may grow, as a factor


def _batch(dice):
    texts = [" ".join(dice.choices(WORDS, k=dice.choice((0, 100)))) for _ in range(100)]
    return [
        texts,
        "lstm",
    ], lambda found: ["note" in each for each in found] == [not t for t in texts]


def _race(dice):
    steps = dice.randint(50, 150)
    knobs = ["parity", "rnn", 10, steps, 4, 0.01, 1.0, 0]
    return knobs, lambda found: found["steps"] == steps


BESIDE = {"/sentiment_batch": _batch, "/cells_race": _race}


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
    times, wrong, resident = [], Counter(), []
    visits, pages, left = Counter(), Counter(), 0
    async with visitors(address, clients) as http:

        async def visitor(name, events):
            nonlocal left
            dice = random.Random(f"{seed} {name}")
            for event in events:
                if time.monotonic() > end:
                    return
                model = [dice.choice(MODELS[event])] if event in MODELS else []
                arguments, right = (ASKED | BESIDE)[event](dice, *model)
                patience = dice.uniform(0, 0.5) if dice.random() < LEAVING else None
                start = time.monotonic()
                try:
                    async with asyncio.timeout(patience):
                        found = await ask(http, event, arguments)
                    if not right(found):
                        wrong[f"{event}: another's answer"] += 1
                except Exception as problem:  # whatever it is, it is counted and told
                    if patience and isinstance(problem, TimeoutError):
                        left += 1
                        continue
                    wrong[f"{event}: {type(problem).__name__} {problem}"[:200]] += 1
                if event in ASKED:
                    times.append(time.monotonic() - start)
                visits[name] += 1
                pages[event] += 1

        async def watch():
            while time.monotonic() < end:
                resident.append(memory() or 0)
                await asyncio.sleep(min(1, seconds / 10))

        events = await published(http)
        crowd = [visitor(n, islice(cycle(events), n, None)) for n in range(clients)]
        await asyncio.gather(watch(), *crowd, *(visitor(each, repeat(each)) for each in BESIDE))
    times.sort()
    fifth = len(resident) // 5  # of five minutes one, in which the site cleans up once
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": len(times),
        "answers_by_page": dict(pages),
        "fewest_of_a_client": min(visits[number] for number in range(clients)),
        "answers_per_second": round(len(times) / seconds, 1),
        "left": left,
        "wrong": dict(wrong),
        "p50_ms": round(1e3 * statistics.median(times)),
        "p95_ms": round(1e3 * times[int(0.95 * (len(times) - 1))]),
        "longest_ms": round(1e3 * times[-1]),
        "megabytes_early": round(statistics.mean(resident[fifth : 2 * fifth])),
        "megabytes_late": round(statistics.mean(resident[-fifth:])),
    }


def complaints(figures):
    """What `soak` found that must not be, as sentences."""
    found = [f"{count} times {what}." for what, count in figures["wrong"].items()]
    if figures["megabytes_late"] > FLAT * figures["megabytes_early"]:
        found.append("The memory of the site grew by more than 5 % after it had warmed up.")
    return found


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
    raise SystemExit("\n".join(complaints(figures)) or 0)


if __name__ == "__main__":
    typer.run(main)
