from apps.cells import views


def test_the_preview_is_small_and_draws_every_cell():
    preview = views.preview()
    assert preview.count("<polyline") == len(views.PREVIEW_CELLS)
    assert len(preview.encode()) < 5_000
