import io

import numpy as np
from PIL import Image

from apps.captioning import tab
from apps.captioning.predictor import Caption, Description


class Predictor:
    """Says of every photo how red it is."""

    def features(self, pixels):
        return np.array([photo[..., 0].mean() for photo in pixels])

    def describe_features(self, features, width, alpha):
        caption = Caption(("red",), np.array([0.25, 0.5]), None, None, -1.0, True)
        return [
            Description((Caption((f"{value:.0f}",), *list(vars(caption).values())[1:]),), None)
            for value in features
        ]


def photo(red, **options):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (red, 0, 0)).save(file, options.pop("kind", "PNG"), **options)
    return file.getvalue()


def test_rows_keep_their_order_and_say_what_could_not_be_read():
    items = [
        ("a", photo(10), ""),
        ("b", b"no photo", ""),
        ("c", None, "It is locked."),
        ("d", photo(200), ""),
    ]
    a, b, c, d = tab._rows(Predictor(), items, 3, 1.0)
    assert a == ["a", "10.", 0.125, ""] and d == ["d", "200.", 0.125, ""]
    assert b[:3] == ["b", "", ""] and "not a photo" in b[3]
    assert c == ["c", "", "", "It is locked."]
    assert tab._rows(Predictor(), items[1:3], 3, 1.0) == [b, c]
