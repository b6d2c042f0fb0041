import base64
import io

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from shared import photos
from shared.errors import UserError


def decode(data_url):
    return Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2])))


def test_the_overlay_is_clear_where_the_attention_is_greatest():
    weights = np.zeros((7, 7))
    weights[1, 5] = 0.7
    alpha = np.asarray(decode(photos.attention_overlay(weights)))[..., 3]
    assert alpha.shape == (28, 28)
    row, column = np.unravel_index(alpha.argmin(), alpha.shape)
    assert (row // 4, column // 4) == (1, 5)
    assert alpha.min() < 60
    assert alpha[-1, 0] == photos.OVERLAY_COLOUR[3]
    # Uniform attention darkens nothing.
    assert np.asarray(decode(photos.attention_overlay(np.full((7, 7), 1 / 49))))[..., 3].max() == 0


def test_a_photo_is_made_small_and_keeps_its_proportions():
    small = decode(photos.to_data_url(Image.new("RGB", (1024, 512), "red")))
    assert small.size == (720, 360)
    assert small.getexif() == {}


def saved(kind="PNG", **options):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 0, 0)).save(file, kind, **options)
    return file.getvalue()


def test_of_an_upload_that_is_shown_the_pixels_alone_stay(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    path = tmp_path / "mine.jpg"
    path.write_bytes(saved("JPEG", exif=exif, comment=b"my garden"))
    picture = photos.open_upload(str(path), keep_pixels=True)
    assert picture.size == (40, 30)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.jpg"]
    left = path.read_bytes()
    assert b"A camera" not in left and b"my garden" not in left and b"Exif" not in left
    assert photos.open_upload(saved()).size == (40, 30)


def test_a_folder_is_refused_and_stays(tmp_path):
    with pytest.raises(UserError, match="no longer here"):
        photos.open_upload(str(tmp_path))
    assert tmp_path.exists()


def test_a_file_that_is_refused_is_deleted(tmp_path):
    path = tmp_path / "mine.jpg"
    path.write_bytes(saved("JPEG", comment=b"my garden")[:-40])
    with pytest.raises(UserError, match="damaged"):
        photos.open_upload(str(path))
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="no longer here"):
        photos.open_upload(str(path))
    with pytest.raises(UserError, match="not a photo"):
        photos.open_upload(b"no photo")


def test_a_file_that_was_read_keeps_its_pixels(tmp_path):
    path = tmp_path / "mine.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (1100, 900, 3), "uint8")
    Image.fromarray(noise).save(path, "JPEG", quality=60)
    first, second = (np.asarray(photos.open_upload(str(path), True)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_upload_is_deleted_when_it_was_read(tmp_path):
    path = tmp_path / "mine.jpg"
    path.write_bytes(saved("JPEG"))
    assert photos.open_upload(str(path)).size == (40, 30)
    assert not list(tmp_path.iterdir())


def test_every_example_is_installed_and_in_the_gallery():
    html = photos.gallery()
    for key, example in photos.EXAMPLES.items():
        assert example.path.is_file()
        assert f'data-choice="{key}"' in html
    assert html.count("data:image/webp;base64,") == len(photos.EXAMPLES)


def test_a_photo_is_drawn_in_its_proportions_under_an_overlay():
    photo = photos.Photo.from_image(Image.new("RGB", (90, 60), "red"))
    assert photo.pixels.shape == (224, 224, 3)
    html = photos.draw_photo(photo, Markup("<b></b>"))
    assert "--ratio:1.5000" in html and 'alt="Your photo."/><b></b></div>' in html
    whole = photos.draw_photo(photos.Photo.from_example("lion"), label_whole=True)
    assert 'aria-label="The photo: A lion with a dark mane is lying on a rock."' in whole
    assert 'alt=""' in whole


def test_attention_is_described_in_words():
    weights = np.full((7, 7), 1 / 98)
    weights[6, 0] += 0.5
    place = "half of the attention went to one of 49 squares, most of it to the bottom left"
    assert photos.describe_attention(weights) == place
    assert photos.describe_attention(np.full((7, 7), 1 / 49)).startswith(
        "half of the attention went to 25 of"
    )
