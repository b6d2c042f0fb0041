"""Reading the pairs: the official downloads, checked, and the same pairs repacked."""

import gzip
import hashlib
import lzma
import zipfile

import pytest

from training.translation import data as translation

CAPTIONS = {"en": "A lamp.\nTwo boats.\n", "fr": "Une lampe.\nDeux bateaux.\n"}


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A folder with both corpora as they are downloaded, and no network."""
    monkeypatch.setattr(translation, "fetch", lambda url, sha256, path: path)
    hashes = {}
    for part in ("train", "val", "test_2016_flickr"):
        for language, text in CAPTIONS.items():
            (tmp_path / f"{part}.{language}.gz").write_bytes(gzip.compress(text.encode()))
            hashes[f"{part}.{language}"] = hashlib.sha256(text.encode()).hexdigest()
    monkeypatch.setattr(translation, "MULTI30K_SHA256", hashes)
    rows = [f"Go {n}.\tVa {n}.\tby hand\nGo {n}.\tAllez {n}.\tby hand" for n in range(300)]
    with zipfile.ZipFile(tmp_path / "fra-eng.zip", "w") as archive:
        archive.writestr("fra.txt", "\n".join(rows))
    return tmp_path


def test_the_official_downloads_fall_into_parts_that_share_no_sentence(official):
    parts = {part: translation.read(official, part) for part in translation.PARTS}
    captions = [(pair.source, pair.targets) for pair in parts["val"][:2]]
    assert captions == [("A lamp.", ("Une lampe.",)), ("Two boats.", ("Deux bateaux.",))]
    sources = {
        part: {pair.source for pair in pairs if pair.domain == "tatoeba"}
        for part, pairs in parts.items()
    }
    assert sum(map(len, sources.values())) == 300
    assert len(set.union(*sources.values())) == 300
    assert all(sources.values())
    # In training a pair is an example, elsewhere a sentence has all of its references.
    assert all(len(pair.targets) == 1 for pair in parts["train"])
    assert {len(pair.targets) for pair in parts["test"] if pair.domain == "tatoeba"} == {2}


@pytest.mark.parametrize(
    "content", [gzip.compress(b"Something else.\n"), b"<html>404</html>"], ids=["text", "page"]
)
def test_a_download_with_another_checksum_is_refused(official, content):
    (official / "val.fr.gz").write_bytes(content)
    with pytest.raises(FileNotFoundError, match=r"not Multi30k's val\.fr"):
        translation.read(official, "val")


def test_the_repacked_pairs_are_read(tmp_path):
    folder = tmp_path / "translation"
    folder.mkdir()
    for language, text in CAPTIONS.items():
        packed = lzma.compress(text.encode())
        (folder / f"multi30k_test_2016_flickr.{language}.xz").write_bytes(packed)
    rows = "train\tGo.\tVa.\ntest\tStop.\tArrête.\ntest\tStop.\tArrêtez.\n"
    (folder / "tatoeba_en_fr.tsv.xz").write_bytes(lzma.compress(rows.encode()))
    pairs = translation.read(tmp_path, "test")
    assert [pair.domain for pair in pairs] == ["multi30k", "multi30k", "tatoeba"]
    assert pairs[-1].targets == ("Arrête.", "Arrêtez.")
    with pytest.raises(ValueError, match="must be one of"):
        translation.read(tmp_path, "dev")
