import base64
import io

import numpy as np
import pytest
from PIL import Image

from shared import photos
from shared.images import ImageError


def decoded(address):
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_the_veil_is_clear_where_the_network_looked_most():
    weights = np.zeros((7, 7))
    weights[1, 5] = 0.7
    alpha = np.asarray(decoded(photos.veil(weights)))[..., 3]
    assert alpha.shape == (28, 28)
    row, column = np.unravel_index(alpha.argmin(), alpha.shape)
    assert (row // 4, column // 4) == (1, 5)
    assert alpha.min() < 60
    assert alpha[-1, 0] == photos.VEIL[3]
    # What is looked at evenly is nowhere veiled.
    assert np.asarray(decoded(photos.veil(np.full((7, 7), 1 / 49))))[..., 3].max() == 0


def test_a_photo_is_made_small_and_keeps_its_proportions():
    small = decoded(photos.address(Image.new("RGB", (1024, 512), "red")))
    assert small.size == (720, 360)
    assert small.getexif() == {}


def saved(kind="PNG", **options):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 0, 0)).save(file, kind, **options)
    return file.getvalue()


def test_a_file_loses_all_but_its_pixels_once_it_is_read(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    path = tmp_path / "mine.jpg"
    path.write_bytes(saved("JPEG", exif=exif, comment=b"my garden"))
    picture = photos.opened(str(path))
    assert picture.size == (40, 30)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.jpg"]
    left = path.read_bytes()
    assert b"A camera" not in left and b"my garden" not in left and b"Exif" not in left
    assert photos.opened(saved()).size == (40, 30)


def test_the_folder_of_an_upload_is_no_photo(tmp_path):
    with pytest.raises(ImageError, match="no longer here"):
        photos.opened(str(tmp_path))
    assert tmp_path.exists()


def test_a_file_that_is_refused_is_deleted_and_sending_it_again_gets_a_sentence(tmp_path):
    path = tmp_path / "mine.jpg"
    path.write_bytes(saved("JPEG", comment=b"my garden")[:-40])
    with pytest.raises(ImageError, match="damaged"):
        photos.opened(str(path))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ImageError, match="no longer here"):
        photos.opened(str(path))
    with pytest.raises(ImageError, match="not a photo"):
        photos.opened(b"no photo")


def test_a_file_that_was_read_before_still_holds_the_same_pixels(tmp_path):
    path = tmp_path / "mine.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (1100, 900, 3), "uint8")
    Image.fromarray(noise).save(path, "JPEG", quality=60)
    first, second = (np.asarray(photos.opened(str(path))) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_every_example_is_there_and_named():
    html = photos.gallery()
    for key, example in photos.EXAMPLES.items():
        assert example.path.is_file()
        assert f'data-choice="{key}"' in html
    assert html.count("data:image/jpeg;base64,") == len(photos.EXAMPLES)


def test_a_photo_lies_in_its_proportions_under_what_covers_it():
    photo = photos.Photo.of(Image.new("RGB", (90, 60), "red"))
    assert photo.pixels.shape == (224, 224, 3)
    html = photos.shot(photo, "<b></b>")
    assert "--ratio:1.5000" in html and 'alt="Your photo."/><b></b></div>' in html
    whole = photos.shot(photos.Photo.of_example("lion"), named=False)
    assert 'aria-label="The photo: A lion with a dark mane is lying on a rock."' in whole
    assert 'alt=""' in whole


def test_where_it_looked_is_told_in_words():
    weights = np.full((7, 7), 1 / 98)
    weights[6, 0] += 0.5
    place = "half of the attention went to one of 49 squares, most of it to the bottom left"
    assert photos.looked(weights) == place
    assert photos.looked(np.full((7, 7), 1 / 49)).startswith("half of the attention went to 25 of")
