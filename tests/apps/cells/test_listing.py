import numpy as np

from apps.cells import listing


def test_a_written_array_has_exactly_the_same_numbers():
    values = np.random.default_rng(0).normal(size=(7, 40)).astype("float32")
    again = eval(listing.write_array(values), {"np": np})
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, values)
