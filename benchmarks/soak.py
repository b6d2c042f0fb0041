"""Many visitors for minutes: `python -m benchmarks.soak [--clients N] [--minutes N] [--json FILE]`.

At first, one visitor asks short questions: on an idle site, and beside another who sends the
longest ones as fast as they are accepted. The figures are both times and their ratio.

Then many visitors come. Each calls one event of the API after another, on all pages in turn, and
checks that each answer belongs to its own query. Now and then one leaves before the answer and
sends another query. Beside them, one visitor sends batches and one trains. The figures are the
number of answers, the errors, the times of single answers and the memory of the site.

The command fails if a short question takes more than three times as long beside long ones, if an
answer is lost or belongs to another query, or if the memory grows.
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
    visitor_headers,
    wait_until_idle,
)
from benchmarks.timing import JsonFile

app = typer.Typer(add_completion=False)

LEAVE_PROBABILITY = 0.1  # of a visitor, at each query
LEAVE_AFTER_SECONDS = 0.5  # at most
MAX_MEMORY_GROWTH = 1.05  # from the second to the last fifth of the time
MAX_SLOWDOWN = 3.0  # of short questions beside the longest of another visitor
SHORT_QUESTIONS = 30


def _draw_batch(rng):
    texts = [" ".join(rng.choices(WORDS, k=rng.choice((0, 100)))) for _ in range(100)]

    def belongs(answer):
        return ["note" in row for row in answer] == [not text for text in texts]

    return [texts, "lstm"], belongs


def _draw_race(rng):
    steps = rng.randint(50, 150)
    arguments = ["parity", "rnn", 10, steps, 4, 0.01, 1.0, 0]
    return arguments, lambda answer: answer["steps"] == steps


# A short question, and the longest that another visitor sends, by what they have in common.
SHORT_TEXT, LONG_TEXT = "A dog runs.", "The dog and the cat ran to the house by the river. " * 97
TURNS = {
    "translations": (
        ("/translate", [SHORT_TEXT, 4, 1.0, "attention"]),
        ("/translate", [LONG_TEXT, 8, 1.0, "attention"]),
    ),
    "batches": (
        ("/sentiment_batch", [["good"], "lstm"]),
        ("/sentiment_batch", [[" ".join(WORDS * 22)] * 1_500, "lstm"]),
    ),
}


async def measure_turns(address, short, long, count, seconds):
    """Times of a visitor's short questions, alone and beside the longest of another visitor.

    Args:
        address: Of the running site.
        short, long: Events with their arguments.
        count: Number of short questions.
        seconds: When to give up; the question under way counts as answered then.

    Returns:
        Dict with the median times, their ratio, and how many long questions were accepted.
    """
    async with open_client(address, 2) as http:

        async def ask():
            start = time.monotonic()
            async with asyncio.timeout(seconds):
                await call_event(http, *short, visitor=1)
            return time.monotonic() - start

        async def send_long_questions():
            nonlocal accepted
            event, arguments = long
            path, options = f"/gradio_api/call{event}", {"headers": visitor_headers(2)}
            while True:
                reply = await http.post(path, json={"data": arguments}, **options)
                accepted += reply.is_success
                await asyncio.sleep(0 if reply.is_success else 0.5)

        accepted = 0
        alone = [await ask() for _ in range(count)]
        sending = asyncio.create_task(send_long_questions())
        await asyncio.sleep(2)
        start, beside = time.monotonic(), []
        while len(beside) < count and time.monotonic() - start < seconds:
            asked = time.monotonic()
            try:
                beside.append(await ask())
            except TimeoutError:
                beside.append(time.monotonic() - asked)
        sending.cancel()
    alone, beside = statistics.median(alone), statistics.median(beside)
    return {
        "alone_ms": round(1e3 * alone),
        "beside_ms": round(1e3 * beside),
        "ratio": round(beside / alone, 1),
        "long_questions": accepted,
    }


def measure_all_turns(count=SHORT_QUESTIONS, seconds=120):
    """`measure_turns` for each of `TURNS`, on a site of its own."""
    figures = {}
    for name, (short, long) in TURNS.items():
        with run_site() as (process, address):
            asyncio.run(_call_often(address, short))
            wait_until_idle(process.pid)
            figures[name] = asyncio.run(measure_turns(address, short, long, count, seconds))
            process.kill()
    return figures


async def _call_often(address, query, times=10):
    async with open_client(address, 1) as http:
        for _ in range(times):
            await call_event(http, *query)


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

        async def visit(name, events, number):
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
                        answer = await call_event(http, event, arguments, number)
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
        visits = [visit(n, islice(cycle(events), n, None), n) for n in range(clients)]
        visits += [visit(event, repeat(event), n) for n, event in enumerate(LONG_QUERIES, clients)]
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
    """What must not happen in the figures of `soak` and `measure_all_turns`, as sentences."""
    failures = [f"{count} times: {error}." for error, count in figures.get("errors", {}).items()]
    late, early = (figures.get(f"megabytes_{when}", 0) for when in ("late", "early"))
    if late > MAX_MEMORY_GROWTH * early:
        failures.append("The memory of the site grew by more than 5 % after the warm-up.")
    for name, turns in figures.get("turns", {}).items():
        if turns["ratio"] > MAX_SLOWDOWN:
            failures.append(
                f"Short {name} take {turns['ratio']} times as long beside the longest ones."
            )
    return failures


@app.command()
def main(clients: int = 64, minutes: float = 5.0, json_file: JsonFile = None):
    """Send many visitors to the site for some minutes; with 0 minutes, measure the turns alone."""
    turns = measure_all_turns()
    figures = {"turns": turns} | (_soak_site(clients, minutes) if minutes else {})
    for name, value in figures.items():
        print(f"{name:28}{value}")
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    raise SystemExit("\n".join(find_failures(figures)) or 0)


def _soak_site(clients, minutes):
    with run_site() as (process, address):
        use_every_model(address, process.pid)
        memory = partial(resident_megabytes, process.pid)
        return asyncio.run(soak(address, clients, 60 * minutes, memory=memory))


if __name__ == "__main__":
    app()
