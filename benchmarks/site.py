"""The site under visitors: `python -m benchmarks.site [--json FILE]`.

Starts the real site as a process and asks it over HTTP, as a page or a script would: time from
the start to the first answer, time of an answer with one and with eight clients at once beside
a call that computes nothing, and resident memory.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parent.parent

# 230 words of our own, so that every run reads the same.
SENTENCES = (
    "I went in with low hopes and came out with a smile I could not explain to anyone.",
    "The story is thin, and the first half hour takes its time, but the two leads are so good",
    "together that I stopped counting the minutes. What the film says about growing old is not",
    "new; how it says it is. There is a scene on a ferry, nearly without words, that I will not",
    "forget soon. The music is too loud in places and the ending ties one knot too many, yet I",
    "forgave it everything when the lights came on and nobody in the room wanted to get up.",
)
REVIEW = " ".join(" ".join(SENTENCES * 3).split()[:230])


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


def _megabytes(pid):
    status = Path(f"/proc/{pid}/status")
    if not status.exists():  # only Linux tells
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024)


def _processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_until_idle(pid, longest=180):
    """Until the site has used less than a tenth of a core for three seconds."""
    if not Path(f"/proc/{pid}/stat").exists():
        time.sleep(60)
        return
    for _ in range(longest // 3):
        before = _processor_seconds(pid)
        time.sleep(3)
        if _processor_seconds(pid) - before < 0.3:
            return


def _times(call, clients, each):
    """Seconds of each call, `each` by every one of `clients` at once."""

    def one(client):
        seconds = []
        for _ in range(each):
            start = time.perf_counter()
            call(client)
            seconds.append(time.perf_counter() - start)
        return seconds

    start = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        times = sorted(second for part in pool.map(one, clients) for second in part)
    return {
        "p50_ms": round(1e3 * statistics.median(times), 1),
        "p95_ms": round(1e3 * times[int(0.95 * (len(times) - 1))], 1),
        "answers_per_second": round(len(times) / (time.perf_counter() - start), 1),
        "answers": len(times),
    }


def measure(each):
    """All figures, as a dict; `each` is the number of answers a client asks for."""
    from gradio_client import Client

    port = _free_port()
    environment = {**os.environ, "UNROLLED_PORT": str(port), "UNROLLED_LOG_LEVEL": "warning"}
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment)
    try:
        while not _answered(port):
            if process.poll() is not None:
                raise typer.Exit("the site did not start")
            time.sleep(0.05)
        up = time.perf_counter() - start
        address = f"http://127.0.0.1:{port}"
        # The client loads the certificates of the web afresh for each call, which takes longer
        # than the answer, even over plain HTTP, where there is nothing to verify.
        quick = {"verbose": False, "ssl_verify": False}
        first = Client(address, **quick)
        first.predict(REVIEW, "lstm", api_name="/sentiment")
        figures = {
            "page_up_s": round(up, 1),
            "first_answer_s": round(time.perf_counter() - start, 1),
        }
        _wait_until_idle(process.pid)  # the background warm-up ends
        clients = [first, *(Client(address, **quick) for _ in range(7))]

        def ask(client):
            client.predict(REVIEW, "lstm", api_name="/sentiment")

        def refuse(client):
            # An empty box is answered without any network: what a call costs by itself.
            try:
                client.predict("", "lstm", api_name="/sentiment")
            except Exception:  # the client's own error class, with the sentence
                return
            raise AssertionError("an empty review was answered")

        figures["call_without_computation"] = _times(refuse, clients[:1], each)
        figures["one_client"] = _times(ask, clients[:1], each)
        figures["one_client_verifying"] = _times(ask, [Client(address, verbose=False)], each)
        figures["eight_clients"] = _times(ask, clients, each)
        for cell in ("gru", "rnn"):
            first.predict(REVIEW, cell, api_name="/sentiment")
        figures["resident_mb"] = _megabytes(process.pid)
        return figures
    finally:
        process.terminate()
        process.wait(10)


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    each: Annotated[int, typer.Option(help="Answers that each client asks for.")] = 40,
):
    figures = measure(each)
    print(f"page up after {figures['page_up_s']} s, first answer {figures['first_answer_s']} s")
    print(f"resident memory {figures['resident_mb']} MB after all three cells answered")
    for name in ("call_without_computation", "one_client", "one_client_verifying", "eight_clients"):
        row = figures[name]
        print(
            f"{name.replace('_', ' '):26} p50 {row['p50_ms']:7.1f} ms   p95 {row['p95_ms']:7.1f} ms"
            f"   {row['answers_per_second']:6.1f} answers/s"
        )
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
