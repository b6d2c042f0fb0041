"""What a strange file may do to the process that reads it, played by functions that do it."""

import io
import os
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from shared import images, limits, photos, tables, workers
from shared.errors import UserError

needs_limits = pytest.mark.skipif(
    workers.resource is None, reason="this system has no limits of resources"
)


def photo(side=40, kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (side, side), (200, 0, 0)).save(file, kind)
    return file.getvalue()


def read_next(pool):
    """A photo, read by a pool after something went wrong in it."""
    size, pixels = pool.call(images._read_pixels, photo())
    assert size == [40, 40] and pixels == bytes((200, 0, 0)) * 1600


@pytest.fixture
def pool():
    """A pool of one process, so that what happens to it matters to the next call."""
    pool = workers.Pool(1)
    yield pool
    pool.close()


def test_values_of_json_and_bytes_come_back_from_the_same_process(pool):
    assert pool.call(len, b"\x00\xff" * 100_000) == 200_000
    assert pool.call(sorted, [3, 1, 2]) == [1, 2, 3]
    assert pool.call(bytes, [1, 2, 3]) == b"\1\2\3"
    first = pool.call(os.getpid)
    assert first == pool.call(os.getpid) != os.getpid()


def test_a_process_knows_no_secrets_of_the_environment(pool, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "secret")
    assert pool.call(os.getenv, "A_TOKEN") is None


@needs_limits
def test_a_process_that_takes_too_much_memory_is_replaced(pool, texts):
    with pytest.raises(UserError) as error:
        pool.call(bytes, 2 * limits.DECODING_MEMORY_BYTES)
    texts(error.value)
    read_next(pool)


@needs_limits
def test_a_photo_that_takes_too_much_memory_gets_the_sentence(monkeypatch):
    monkeypatch.setattr(limits, "DECODING_MEMORY_BYTES", 200 * limits.MIB)
    pool = workers.Pool(1)
    with pytest.raises(UserError, match="too much memory"):
        pool.call(images._read_pixels, photo(side=6000))
    read_next(pool)
    pool.close()


@needs_limits
def test_an_avif_that_says_it_is_small_takes_no_more_memory_than_a_photo_may(pool, monkeypatch):
    file = io.BytesIO()
    Image.new("L", (7000, 7000)).convert("RGB").save(file, "AVIF", speed=10, subsampling="4:4:4")
    data = file.getvalue()
    place = data.index(b"ispe") + 8  # where the picture's width and height stand
    data = data[:place] + struct.pack(">II", 64, 48) + data[place + 8 :]
    assert pool.call(images._read_pixels, data)[0] == [64, 48]
    monkeypatch.setattr(limits, "DECODING_MEMORY_BYTES", 200 * limits.MIB)
    narrow = workers.Pool(1)
    with pytest.raises(UserError):
        narrow.call(images._read_pixels, data)
    read_next(narrow)
    narrow.close()


def test_a_process_that_hangs_is_replaced(pool, monkeypatch, texts):
    pool.call(len, [])
    with monkeypatch.context() as patch, pytest.raises(UserError) as error:
        patch.setattr(limits, "DECODING_SECONDS", 0.5)
        pool.call(time.sleep, 10_000)
    texts(error.value)
    read_next(pool)


@needs_limits
def test_a_process_that_computes_without_end_is_replaced(pool, monkeypatch):
    pool.call(len, [])
    with monkeypatch.context() as patch, pytest.raises(UserError, match="too long"):
        patch.setattr(limits, "DECODING_CPU_SECONDS", 0)
        pool.call(pow, 3, 10**9)
    read_next(pool)


@pytest.mark.parametrize("status", [0, 3])
def test_a_process_that_ends_is_replaced(pool, status, texts):
    with pytest.raises(UserError) as error:
        pool.call(os._exit, status)
    texts(error.value)
    read_next(pool)


def test_a_process_that_was_killed_from_outside_is_replaced(pool):
    process = pool.call(os.getpid)
    with pytest.raises(UserError, match="cannot be read"):
        pool.call(os.kill, process, 9)
    read_next(pool)


def test_a_process_that_was_killed_between_two_calls_is_replaced(pool):
    pool.call(len, [])
    worker = pool._places.get()
    worker._process.kill()
    worker._process.wait()
    pool._places.put(worker)
    read_next(pool)


def test_where_no_process_can_be_started_there_is_a_sentence(pool, monkeypatch, texts, caplog):
    with monkeypatch.context() as patch, pytest.raises(UserError) as error:
        patch.setattr(sys, "executable", "/nowhere/python")
        pool.call(len, [])
    texts(error.value)
    assert "can be started: FileNotFoundError" in caplog.text
    read_next(pool)


def test_a_process_that_talks_nonsense_is_replaced(pool):
    pool.call(len, [])
    # the pipe to the parent is the first that a process opens after its standard ones
    with pytest.raises(UserError, match="cannot be read"):
        pool.call(os.write, 3, b"nonsense nonsense")
    read_next(pool)


def test_an_error_gets_a_sentence_and_a_line_in_the_log_without_the_file_s_words(pool, caplog):
    with pytest.raises(UserError, match="cannot be read"):
        pool.call(int, "my secret")
    assert "builtins.int failed: ValueError" in caplog.text
    assert "secret" not in caplog.text
    read_next(pool)


def test_a_sentence_of_the_function_comes_through(pool):
    with pytest.raises(UserError, match="This file is empty"):
        pool.call(images._read_pixels, b"")


@pytest.mark.skipif(
    not workers._resident_bytes(), reason="this system does not say what a process holds"
)
def test_a_process_that_keeps_memory_is_replaced_after_its_answer(pool, monkeypatch):
    first = pool.call(os.getpid)
    monkeypatch.setattr(workers, "RESIDENT_BYTES", limits.MIB)
    assert pool.call(os.getpid) == first
    assert pool.call(os.getpid) != first


def test_a_process_is_replaced_after_many_answers(pool, monkeypatch):
    monkeypatch.setattr(workers, "CALLS", 2)
    first, second, third = (pool.call(os.getpid) for _ in range(3))
    assert first == second != third


def test_calls_wait_for_a_process_that_is_free(pool):
    started = threading.Barrier(4)

    def call(number):
        started.wait()
        return pool.call(abs, -number)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(call, range(4))) == [0, 1, 2, 3]


def test_without_limits_of_memory_a_process_says_why_and_answers(monkeypatch, caplog):
    monkeypatch.setattr(limits, "DECODING_MEMORY_BYTES", 2**70)  # refused, as macOS refuses any
    monkeypatch.setattr(workers._Worker, "_missing_limits", "")
    pool = workers.Pool(1)
    read_next(pool)
    assert "Files are read without a limit of memory: this system" in caplog.text
    pool.close()


def test_the_files_of_visitors_are_read_apart_as_they_are_here(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), "uint8")
    Image.fromarray(noise).save(tmp_path / "a.png")
    here, apart = (read(tmp_path / "a.png") for read in (images.read, images.read_apart))
    np.testing.assert_array_equal(np.asarray(here), np.asarray(apart))
    path = tmp_path / "a.csv"
    path.write_text("text;n\né 😀;1\n", encoding="utf-16")
    assert tables.read_apart(path, 9) == tables.read(path, 9)
    assert tables.lines_apart(path, 9) == tables.lines(path, 9)
    assert photos.open_upload(photo()).size == (40, 40)
