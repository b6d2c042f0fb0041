import os
from types import SimpleNamespace

import gradio as gr
import pytest

from shared import limits
from shared.site import uploads
from shared.site.storage import current_visitor


def test_an_upload_comes_as_its_path_whatever_is_in_it(tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_bytes(b"This is a letter.")
    photo = uploads.Photo()
    payload = photo.data_model(path=str(path), orig_name="letter.jpg")
    assert photo.preprocess(payload) == str(path)
    assert photo.preprocess(None) is None
    assert photo.get_block_name() == "image"


def test_a_webcam_s_frame_comes_as_bytes_and_is_not_kept():
    photo = uploads.Photo(sources=["webcam"], streaming=True)
    frame = photo.data_model(url="data:image/jpeg;base64,aGVsbG8=")
    assert photo.preprocess(frame) == b"hello"
    assert "aGVsbG8" not in str(frame.model_dump())
    assert photo.preprocess(photo.data_model(url="data:image/jpeg;base64,a")) == b""


def test_only_what_was_sent_is_taken_for_a_file():
    path = str(uploads.download_path("photo.jpg"))
    assert uploads.sent_file(gr.FileData(path=path)) == path
    for other in ("/etc/hostname", "app.py", "", f"{path}/../../../app.py"):
        with pytest.raises(gr.Error, match="must be a file"):
            uploads.sent_file(gr.FileData(path=other))


@pytest.fixture
def upload_folder(monkeypatch, tmp_path):
    """An empty folder of uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_without_room_no_file_is_begun(upload_folder, monkeypatch):
    assert uploads.download_path("scores.csv").parent.is_dir()
    usage = SimpleNamespace(total=10**12, free=uploads.LARGEST_DOWNLOAD_BYTES - 1)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: usage)
        with pytest.raises(gr.Error, match="no room for more files"):
            uploads.download_path("scores.csv")
    monkeypatch.setenv("GRADIO_TEMP_DIR", os.devnull)
    with pytest.raises(gr.Error, match="no room for more files"):
        uploads.download_path("scores.csv")


def test_what_a_visitor_fetches_counts_as_theirs(upload_folder, monkeypatch):
    monkeypatch.setattr(limits, "KEPT_BYTES_PER_VISITOR", 100_000)
    token = current_visitor.set("one")
    uploads.download_path("scores.csv").write_bytes(bytes(100_001))
    with pytest.raises(gr.Error, match="Files from your address"):
        uploads.download_path("scores.csv")
    current_visitor.reset(token)
    uploads.download_path("scores.csv")
