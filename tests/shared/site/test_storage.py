import os
import time
from types import SimpleNamespace

import pytest

from shared import limits
from shared.site import storage as module
from shared.site.storage import FILE_TTL_SECONDS, NO_ROOM, Storage


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty folder of uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


@pytest.fixture
def clocks(monkeypatch):
    """Two clocks that stand still: `date`, which somebody sets, and `passed`."""
    clocks = SimpleNamespace(date=1_000_000.0, passed=50.0)
    fake = SimpleNamespace(time=lambda: clocks.date, monotonic=lambda: clocks.passed)
    monkeypatch.setattr(module, "time", fake)
    return clocks


def put(path, size=10, date=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    if date is not None:
        os.utime(path, (date, date))
    return path


def test_what_a_visitor_sent_is_deleted_within_the_hour_whoever_took_it(folder):
    ages = {"tmphalf": 3400, "tmpnew": 3000, "a1/photo.jpg": 9000, "b2/photo.jpg": 60, "c3": 9000}
    paths = [folder / name for name in ages]
    for path in paths[:-1]:
        put(path)
    paths[-1].mkdir()
    for path, age in zip(paths, ages.values(), strict=True):
        os.utime(path, (time.time() - age,) * 2)
    Storage().sweep()
    assert [path.exists() for path in paths] == [False, True, False, True, False]
    assert folder.is_dir()


def test_a_file_is_as_old_as_the_time_that_has_passed_wherever_the_clock_is_set(folder, clocks):
    storage, path = Storage(), put(folder / "a" / "photo.jpg", date=1_000_000 - 100)
    for date in (1_000_000, 5_000_000, 500):  # the clock is set forwards, then back
        clocks.date = date
        storage.sweep()
        assert path.exists()
    clocks.passed += FILE_TTL_SECONDS - 101
    storage.sweep()
    assert path.exists()
    clocks.passed += 1
    storage.sweep()
    assert not path.exists()


def test_a_file_that_is_dated_in_the_future_is_deleted_an_hour_after_it_was_seen(folder, clocks):
    storage, path = Storage(), put(folder / "photo.jpg", date=9_000_000)
    storage.sweep()
    assert path.exists()
    clocks.passed += FILE_TTL_SECONDS
    storage.sweep()
    assert not path.exists()


def test_a_file_that_was_read_goes_with_one_of_the_next_sweeps(folder, clocks):
    storage, path = Storage(), put(folder / "a" / "photo.jpg", date=1_000_000)
    storage.sweep()
    storage.discard_soon(path)
    storage.sweep()
    assert path.exists()
    clocks.passed += module.SHOWN_SECONDS
    storage.sweep()
    assert not path.exists()


def test_links_are_deleted_and_nothing_behind_them(folder, tmp_path):
    file, old = put(tmp_path / "mine" / "photo.jpg", date=0), (1, 1)
    os.utime(file.parent, old)
    for name, target in (("to-file", file), ("to-folder", file.parent), ("to-nothing", "nowhere")):
        (folder / name).symlink_to(target)
        os.utime(folder / name, old, follow_symlinks=False)
    Storage().sweep()
    assert not list(folder.iterdir())
    assert file.exists()


def test_a_visitor_has_a_share_of_the_room(folder, monkeypatch, texts):
    monkeypatch.setattr(limits, "KEPT_BYTES_PER_VISITOR", 3 * limits.MIB)
    storage = Storage()
    path = put(storage.make_folder("one") / "sha" / "a.zip", 2 * limits.MIB)
    assert storage.refuse("one", limits.MIB) is None
    texts(storage.refuse("one", limits.MIB + 1))
    assert storage.refuse("another", 2 * limits.MIB) is None
    with storage.arriving("another", 2 * limits.MIB):
        assert storage.refuse("another", limits.MIB + 1)
    assert storage.refuse("another", limits.MIB + 1) is None
    module.discard(path)
    assert storage.refuse("one", 3 * limits.MIB) is None


def test_a_single_upload_of_the_largest_size_finds_room(folder, monkeypatch):
    monkeypatch.setattr(limits, "KEPT_BYTES_PER_VISITOR", limits.MIB)
    monkeypatch.setattr(limits, "KEPT_BYTES", limits.MIB)
    assert Storage().refuse("one", 5 * limits.MIB) is None


def test_all_visitors_together_have_room_too(folder, monkeypatch):
    monkeypatch.setattr(limits, "KEPT_BYTES", 3 * limits.MIB)
    storage = Storage()
    put(folder / "left-behind", limits.MIB)  # of a process that was killed
    put(storage.make_folder("one") / "a.zip", limits.MIB)
    assert storage.refuse("another", limits.MIB) is None
    with storage.arriving("third", limits.MIB):
        assert storage.refuse("another", limits.MIB) == NO_ROOM


def test_many_small_files_count_as_larger_ones(folder, monkeypatch):
    monkeypatch.setattr(limits, "KEPT_BYTES_PER_VISITOR", limits.MIB)
    storage = Storage()
    many = storage.make_folder("one")
    for n in range(17):
        put(many / str(n), 1)
    assert storage.refuse("one")


@pytest.mark.parametrize(
    ("total", "free", "refused"),
    [
        (100_000 * limits.MIB, limits.FREE_DISK_BYTES + 10, False),
        (100_000 * limits.MIB, limits.FREE_DISK_BYTES + 9, True),
        (80 * limits.MIB, 20 * limits.MIB + 10, False),  # a quarter of a small disk stays free
        (80 * limits.MIB, 20 * limits.MIB + 9, True),
    ],
)
def test_uploads_end_long_before_the_disk_is_full(folder, monkeypatch, total, free, refused):
    usage = SimpleNamespace(total=total, free=free)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert (Storage().refuse("one", 10) == NO_ROOM) == refused
    with Storage().arriving("another", 1):
        pass


def test_a_process_deletes_its_own_files_at_its_end(folder):
    storage, other = Storage(), put(folder / "other" / "a.zip")
    put(storage.make_folder("one") / "a.zip")
    storage.clear()
    assert [path.name for path in folder.iterdir()] == ["other"]
    assert other.exists()
