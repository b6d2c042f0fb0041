from apps.sentiment import tab


def test_many_texts_get_a_label_and_three_probabilities_or_a_note(general):
    rows = tab._score_texts(general, ["Not bad at all.", "", "I loved it"])
    assert tab.BATCH_COLUMNS[2:5] == ("negative", "neutral", "positive")
    for probability, label, *shares, note in (rows[0], rows[2]):
        assert note == "" and abs(sum(shares) - 1) < 1e-3
        assert label == tab.views.label(shares)
        assert abs(probability - shares[2] / (shares[0] + shares[2])) < 1e-3
    assert rows[1][:-1] == ("",) * 5 and "nothing to read" in rows[1][-1]
