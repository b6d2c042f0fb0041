"""Calls functions in child processes that may use only so much memory and time.

What strangers send is decoded there. Whatever a decoder does with a hostile file happens to a small
process that knows nothing of other visitors, and that another one replaces. Processes are started
when they are needed and used again.

Parent and child exchange JSON and bytes over pipes. `multiprocessing`, `concurrent.futures` and
the libraries built on them exchange pickles instead, with which a child that a file has taken over
could run code in the parent.
"""

import importlib
import json
import logging
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared import limits
from shared.errors import UserError

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

log = logging.getLogger("unrolled")

PROCESSES = 3  # at most; one of them suffices for most of the time
CALLS = 1_000  # that a process answers before another one replaces it
RESIDENT_BYTES = 256 * limits.MIB  # that a process may hold after an answer, else it is replaced
MESSAGE_BYTES = 1_024 * limits.MIB  # of one message
OUT_OF_MEMORY = 77  # exit status
ROOT = Path(__file__).parent.parent
# What a process needs to start. Others, such as tokens of a Space, are none of its business.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT", "TEMP", "TMP")
SINGLE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # each takes address space

TOO_LONG = (
    "This file takes too long to read. Make it smaller, or save it again in a plainer format."
)
TOO_LARGE = (
    "This file takes too much memory to read. Make it smaller, or save it again in a plainer "
    "format."
)
UNAVAILABLE = "Files cannot be read at the moment. Try again later."
UNREADABLE = (
    "This file cannot be read; it may be damaged. Save it again, if possible in another format."
)


class Pool:
    """A few child processes that answer one call each at a time.

    Args:
        size: Most processes.
    """

    def __init__(self, size=PROCESSES):
        self._places = queue.LifoQueue()  # the process used last is used next; None: not started
        for _ in range(size):
            self._places.put(None)

    def call(self, function, *arguments):
        """The result of a function, called in a child process.

        Args:
            function: A function of a module, which is imported there.
            arguments: Values of JSON, and bytes.

        Returns:
            What it returns: values of JSON, and bytes.

        Raises:
            UserError: that of the function; or a sentence that says that it has taken too much time
                or memory, or has failed.
        """
        request = [function.__module__, function.__qualname__, list(arguments)]
        worker = self._places.get()
        try:
            if worker and worker.has_ended():
                worker.stop()
                worker = None
            worker = worker or self._start()
            try:
                reply = worker.call([*request, limits.DECODING_CPU_SECONDS])
            except Exception as error:  # the process has ended, or says what makes no sense
                sentence = worker.stop()
                worker = None
                log.warning("%s.%s: %s (%s)", *request[:2], sentence, type(error).__name__)
                raise UserError(sentence) from None
            if not worker.is_fresh:
                worker.stop()
                worker = None
        finally:
            self._places.put(worker)
        if "sentence" in reply:
            raise UserError(reply["sentence"])
        if "failure" in reply:
            log.error("%s.%s failed: %s", *request[:2], reply["failure"])
            raise UserError(UNREADABLE)
        return reply["result"]

    @staticmethod
    def _start():
        try:
            return _Worker()
        except Exception as error:
            log.error("No process that reads files can be started: %s", type(error).__name__)
            raise UserError(UNAVAILABLE) from None

    def close(self):
        """End all processes; those that answer are waited for."""
        workers = [self._places.get() for _ in range(self._places.qsize())]
        for worker in workers:
            if worker:
                worker.stop()
            self._places.put(None)


class _Worker:
    """A child process.

    Attributes:
        is_fresh: Whether it may answer another call.
    """

    _missing_limits = ""  # why there is no limit of memory on this system, once it is known

    def __init__(self):
        kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", __name__, str(limits.DECODING_MEMORY_BYTES)],
            cwd=ROOT,
            env={**kept, **SINGLE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._overdue, self._calls = False, 0
        self.is_fresh = True
        try:
            missing = self._exchange(None)
        except BaseException:
            self.stop()
            raise
        if missing and not _Worker._missing_limits:
            _Worker._missing_limits = missing
            log.warning("Files are read without a limit of memory: %s", missing)

    def call(self, request):
        """The reply to a request: a dict with `result`, `sentence` or `failure`."""
        reply = self._exchange(request)
        self._calls += 1
        self.is_fresh = self._calls < CALLS and reply["resident_bytes"] < RESIDENT_BYTES
        return reply

    def has_ended(self):
        """Whether something else has ended the process."""
        return self._process.poll() is not None

    def _exchange(self, request):
        timer = threading.Timer(limits.DECODING_SECONDS, self._end_overdue)
        timer.daemon = True
        timer.start()
        try:
            _send(self._process.stdin, request)
            return _receive(self._process.stdout)
        finally:
            timer.cancel()

    def _end_overdue(self):
        self._overdue = True
        self._process.kill()

    def stop(self):
        """End the process; returns the sentence that says why it had to be ended."""
        with suppress(OSError):  # the process has ended before it had read everything
            self._process.stdin.close()
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._process.stdout.close()
        if self._overdue or status == -getattr(signal, "SIGXCPU", 0):
            return TOO_LONG
        return TOO_LARGE if status == OUT_OF_MEMORY else UNREADABLE


def _send(stream, value):
    """Write a value of JSON and bytes to a pipe: the length of the JSON, the JSON, the bytes."""
    parts = []

    def take_out(value):
        parts.append(value)
        return {"bytes": memoryview(value).nbytes}  # a TypeError if it has none

    text = json.dumps(value, default=take_out).encode()
    for part in (struct.pack("<Q", len(text)), text, *parts):
        stream.write(part)
    stream.flush()


def _receive(stream):
    """Read what `_send` has written.

    Raises:
        EOFError: if the other process has ended.
    """

    def put_back(value):
        return _read(stream, value["bytes"]) if value.keys() == {"bytes"} else value

    (length,) = struct.unpack("<Q", _read(stream, 8))
    return json.loads(_read(stream, length), object_hook=put_back)


def _read(stream, length):
    if length > MESSAGE_BYTES:
        raise ValueError("a message is too long")
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def _serve(memory_bytes):
    """The child: answer calls until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and closes
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # decoders print what they find in a file
    missing = _limit_memory(memory_bytes)
    _receive(requests)
    _send(replies, missing)
    os.dup2(nowhere, 2)
    while True:
        reply = _answer(*_receive(requests))
        _send(replies, {**reply, "resident_bytes": _resident_bytes()})


def _answer(module, name, arguments, cpu_seconds):
    """The reply to a call; a `MemoryError` is raised, since nothing can be relied on after it."""
    if resource:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds)
    try:
        return {"result": getattr(importlib.import_module(module), name)(*arguments)}
    except UserError as error:
        return {"sentence": str(error)}
    except MemoryError:
        raise
    except Exception as error:  # where, but not its message, which may quote the file
        where = traceback.extract_tb(error.__traceback__)[-1]
        return {"failure": f"{type(error).__name__} in {where.name}, line {where.lineno}"}


def _limit_memory(memory_bytes):
    """Limit the address space of this process; returns "" or why that is impossible here."""
    if not resource:
        return "this system has none."
    try:
        _limit(resource.RLIMIT_AS, memory_bytes)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, 0)  # it writes no files
    except (ValueError, OverflowError, OSError) as error:  # macOS does not take every limit
        return f"this system refuses it ({error})."
    return ""


def _limit(kind, value):
    """Set a soft limit, as far as the hard one of this system allows."""
    _, most = resource.getrlimit(kind)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(kind, (value, most))


def _resident_bytes():
    """The memory that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


_pool = Pool()
call = _pool.call

if __name__ == "__main__":
    try:
        _serve(int(sys.argv[1]))
    except (EOFError, BrokenPipeError):
        os._exit(0)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
