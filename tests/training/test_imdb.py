import json
import lzma
import tarfile
from pathlib import Path

import pytest

from training.datasets import download, imdb

REVIEWS = {
    "neg": [("Dull<br />and slow.", 2, "tt1"), ("I left early.", 1, "tt2")],
    "pos": [("A joy from start to end!", 9, "tt3")],
    "unsup": [("It was on television.", 0, "tt1")],
}


def official(folder):
    """A corpus in the layout of the official archive, with reviews of our own."""
    for side, kinds in (("train", REVIEWS), ("test", ("neg", "pos"))):
        for kind in kinds:
            (folder / side / kind).mkdir(parents=True)
            urls = []
            for number, (text, rating, movie) in enumerate(REVIEWS[kind]):
                (folder / side / kind / f"{number}_{rating}.txt").write_text(text)
                urls.append(f"http://www.imdb.com/title/{movie}/usercomments")
            (folder / side / f"urls_{kind}.txt").write_text("\n".join(urls) + "\n")
    return folder


def test_official_folder_is_read_with_labels_and_movies(tmp_path):
    official(tmp_path / "aclImdb")
    reviews = imdb.read(tmp_path, "train")
    assert [(r.text, r.label, r.movie) for r in reviews] == [
        ("Dull and slow.", 0, "tt1"),
        ("I left early.", 0, "tt2"),
        ("A joy from start to end!", 1, "tt3"),
    ]
    assert imdb.read(tmp_path, "unsup")[0].label is None


def test_reviews_come_in_the_order_of_their_numbers(tmp_path):
    folder = official(tmp_path / "aclImdb") / "train" / "neg"
    for number in range(2, 12):
        (folder / f"{number}_3.txt").write_text(f"review {number}")
    urls = folder.parent / "urls_neg.txt"
    urls.write_text("http://www.imdb.com/title/tt9/usercomments\n" * 12)
    texts = [review.text for review in imdb.read(tmp_path, "train") if review.label == 0]
    assert texts[-3:] == ["review 9", "review 10", "review 11"]


def test_archive_is_unpacked_once(tmp_path, monkeypatch):
    official(tmp_path / "made" / "aclImdb")
    archive = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "made" / "aclImdb", "aclImdb")
    monkeypatch.setattr(imdb, "fetch", lambda url, sha256, path: path)
    assert len(imdb.read(tmp_path, "train")) == 3
    archive.unlink()
    assert len(imdb.read(tmp_path, "test")) == 3


def test_repacked_file_is_read(tmp_path):
    (tmp_path / "sentiment").mkdir()
    rows = [{"text": "Fine &amp; good", "label": 1, "movie": "tt7"}, {"text": "So so"}]
    with lzma.open(tmp_path / "sentiment" / "imdb_unsup.jsonl.xz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    reviews = imdb.read(tmp_path, "unsup")
    assert reviews == [imdb.Review("Fine & good", 1, "tt7"), imdb.Review("So so", None, "")]


def test_unknown_part_is_refused(tmp_path):
    with pytest.raises(ValueError, match="part='validation'"):
        imdb.read(tmp_path, "validation")


def test_no_movie_is_on_both_sides_of_the_split():
    reviews = [imdb.Review(f"text {n}", n % 2, f"tt{n % 40}") for n in range(400)]
    training, validation = imdb.split_by_movie(reviews, fraction=0.2, seed=3)
    assert not {r.movie for r in training} & {r.movie for r in validation}
    assert len(training) + len(validation) == 400
    assert 80 <= len(validation) < 90
    assert imdb.split_by_movie(reviews, fraction=0.2, seed=3)[1] == validation
    assert imdb.split_by_movie(reviews, fraction=0.2, seed=4)[1] != validation


def test_duplicates_are_counted():
    reviews = [imdb.Review(text, 0, "") for text in ("a", "b", "a", "a")]
    assert imdb.duplicates(reviews) == 2
    assert imdb.duplicates(reviews, [imdb.Review("b", 1, "")]) == 1


def test_without_a_network_the_message_says_what_to_put_where(tmp_path):
    # Nothing listens on port 9 of this machine.
    with pytest.raises(FileNotFoundError) as caught:
        download.fetch("http://127.0.0.1:9/corpus.tar.gz", "0" * 64, tmp_path / "corpus.tar.gz")
    assert str(tmp_path / "corpus.tar.gz") in str(caught.value)
    assert "http://127.0.0.1:9/corpus.tar.gz" in str(caught.value)


def test_a_file_with_another_checksum_is_refused(tmp_path, served):
    url = served({"corpus.bin": b"tampered"})
    with pytest.raises(FileNotFoundError, match="could not be downloaded"):
        download.fetch(f"{url}/corpus.bin", "0" * 64, tmp_path / "corpus.bin")
    assert not (tmp_path / "corpus.bin").exists()


def test_a_file_with_the_right_checksum_is_kept(tmp_path, served):
    from hashlib import sha256

    url = served({"corpus.bin": b"whole"})
    path = download.fetch(
        f"{url}/corpus.bin", sha256(b"whole").hexdigest(), tmp_path / "corpus.bin"
    )
    assert Path(path).read_bytes() == b"whole"


@pytest.fixture
def served():
    """Serves a dict of files from this machine; call it to get the address."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    servers = []

    def serve(files):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = files[self.path.lstrip("/")]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
