"""Many visitors for minutes: `python -m benchmarks.soak [--clients N] [--minutes N] [--json FILE]`.

Each visitor calls one event of the API after another, on all pages in turn, and checks that each
answer belongs to its own query. Now and then one leaves before the answer and sends another query.
Beside them, one visitor sends batches and one trains. The command prints the number of answers, the
errors, the times of single answers and the memory of the site. It fails if an answer is lost or
belongs to another query, or if the memory grows.
"""

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from functools import partial
from itertools import cycle, islice, repeat

import typer

from benchmarks.site import (
    MODELS,
    QUERIES,
    WORDS,
    call_event,
    find_events,
    open_client,
    resident_megabytes,
    run_site,
    use_every_model,
)
from benchmarks.timing import JsonFile

app = typer.Typer(add_completion=False)

LEAVE_PROBABILITY = 0.1  # of a visitor, at each query
LEAVE_AFTER_SECONDS = 0.5  # at most
MAX_MEMORY_GROWTH = 1.05  # from the second to the last fifth of the time


def _draw_batch(rng):
    texts = [" ".join(rng.choices(WORDS, k=rng.choice((0, 100)))) for _ in range(100)]

    def belongs(answer):
        return ["note" in row for row in answer] == [not text for text in texts]

    return [texts, "lstm"], belongs


def _draw_race(rng):
    steps = rng.randint(50, 150)
    arguments = ["parity", "rnn", 10, steps, 4, 0.01, 1.0, 0]
    return arguments, lambda answer: answer["steps"] == steps


LONG_QUERIES = {"/sentiment_batch": _draw_batch, "/cells_race": _draw_race}


async def soak(address, clients, seconds, seed=0, memory=lambda: None):
    """Let visitors call the site until the time is over; returns all figures as a dict.

    Args:
        address: Of the running site.
        clients: Number of visitors at once.
        seconds: Duration.
        seed: Of the queries.
        memory: Function that returns the resident megabytes of the site.
    """
    end = time.monotonic() + seconds
    times, errors, resident = [], Counter(), []
    answers_by_client, answers_by_page, abandoned = Counter(), Counter(), 0
    async with open_client(address, clients) as http:

        async def visit(name, events):
            nonlocal abandoned
            rng = random.Random(f"{seed} {name}")
            for event in events:
                if time.monotonic() > end:
                    return
                model = [rng.choice(MODELS[event])] if event in MODELS else []
                arguments, belongs = (QUERIES | LONG_QUERIES)[event](rng, *model)
                leaves = rng.random() < LEAVE_PROBABILITY
                timeout = rng.uniform(0, LEAVE_AFTER_SECONDS) if leaves else None
                start = time.monotonic()
                try:
                    async with asyncio.timeout(timeout):
                        answer = await call_event(http, event, arguments)
                    if not belongs(answer):
                        errors[f"{event}: answer to another query"] += 1
                except Exception as error:  # every error is counted and reported
                    if leaves and isinstance(error, TimeoutError):
                        abandoned += 1
                        continue
                    errors[f"{event}: {type(error).__name__} {error}"[:200]] += 1
                if event in QUERIES:
                    times.append(time.monotonic() - start)
                answers_by_client[name] += 1
                answers_by_page[event] += 1

        async def watch_memory():
            while time.monotonic() < end:
                resident.append(memory() or 0)
                await asyncio.sleep(min(1, seconds / 10))

        events = await find_events(http)
        visits = [visit(n, islice(cycle(events), n, None)) for n in range(clients)]
        visits += [visit(event, repeat(event)) for event in LONG_QUERIES]
        await asyncio.gather(watch_memory(), *visits)
    times.sort()
    fifth = len(resident) // 5  # one minute of five, in which the site cleans up once
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": len(times),
        "answers_by_page": dict(answers_by_page),
        "fewest_answers_of_a_client": min(answers_by_client[n] for n in range(clients)),
        "answers_per_second": round(len(times) / seconds, 1),
        "abandoned": abandoned,
        "errors": dict(errors),
        "p50_ms": round(1e3 * statistics.median(times)),
        "p95_ms": round(1e3 * times[int(0.95 * (len(times) - 1))]),
        "longest_ms": round(1e3 * times[-1]),
        "megabytes_early": round(statistics.mean(resident[fifth : 2 * fifth])),
        "megabytes_late": round(statistics.mean(resident[-fifth:])),
    }


def find_failures(figures):
    """What must not happen in the figures of `soak`, as sentences."""
    failures = [f"{count} times: {error}." for error, count in figures["errors"].items()]
    if figures["megabytes_late"] > MAX_MEMORY_GROWTH * figures["megabytes_early"]:
        failures.append("The memory of the site grew by more than 5 % after the warm-up.")
    return failures


@app.command()
def main(clients: int = 64, minutes: float = 5.0, json_file: JsonFile = None):
    """Send many visitors to the site for some minutes."""
    with run_site() as (process, address):
        use_every_model(address, process.pid)
        memory = partial(resident_megabytes, process.pid)
        figures = asyncio.run(soak(address, clients, 60 * minutes, memory=memory))
    for name, value in figures.items():
        print(f"{name:28}{value}")
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    raise SystemExit("\n".join(find_failures(figures)) or 0)


if __name__ == "__main__":
    app()
