from shared.site import permalinks, theme


def test_nothing_in_the_head_points_elsewhere():
    assert "http" not in theme.build_head()


def test_a_link_hides_the_knobs_it_names_and_sets_them_all():
    updates = permalinks.locked({"lock": "units,seed"}, text="1 2", units=3, seed=7)
    assert [update["value"] for update in updates] == ["1 2", 3, 7]
    assert [update["visible"] for update in updates] == [True, False, False]
    assert all(update["visible"] for update in permalinks.locked({}, text="1 2", units=3))
