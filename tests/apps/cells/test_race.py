"""The race: its tasks, its training compared with Keras, its gradients compared with numpy."""

import gradio as gr
import keras
import numpy as np
import pytest

from apps.cells.race import race as races
from apps.cells.race import tab, views
from apps.cells.race.race import (
    Race,
    Setting,
    compute_accuracy,
    compute_loss,
    count_parameters,
    gradient_norms,
    units_by_cell,
)
from apps.cells.race.tasks import GRAMMAR, LETTERS, LONGEST, SHORTEST, TASKS
from shared.errors import UserError
from shared.site.events import RunSlot

pytestmark = pytest.mark.slow

SMALL = {"length": 12, "units": 4, "batch": 4}


def make(task, length=20, count=400, seed=0):
    return TASKS[task].make(np.random.default_rng(seed), count, length)


@pytest.fixture(scope="module")
def short_race():
    race = Race(Setting(cells=("rnn", "lstm"), seed=3, **SMALL))
    assert [*race.prepare()] == ["RNN", "LSTM"]
    race.advance(7)
    race.advance(5)
    return race


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("length", [SHORTEST, 37, LONGEST])
def test_tasks_have_their_shapes_at_every_length(task, length):
    inputs, targets, scored = make(task, length, 3)
    assert inputs.shape == (3, length, TASKS[task].features)
    assert targets.shape == scored.shape == (3, length)
    steps = TASKS[task].scored_steps(length)
    assert (scored[:, steps] == 1).all()
    assert targets[:, steps].shape[1] >= 1


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_gives_the_same_sequences_and_another_does_not(task):
    np.testing.assert_array_equal(make(task)[0], make(task)[0])
    assert (make(task)[0] != make(task, seed=1)[0]).any()


def test_the_target_of_adding_is_the_sum_of_the_two_marked_numbers():
    inputs, targets, _ = make("adding", count=20_000)
    assert (inputs[:, :10, 1].sum(axis=1) == 1).all()
    assert (inputs[:, 10:, 1].sum(axis=1) == 1).all()
    expected = [row[row[:, 1] == 1, 0].sum() for row in inputs[:50]]
    np.testing.assert_allclose(targets[:50, -1], expected, rtol=1e-6)
    # The best guess is the mean, 1; its squared error is the variance, 2 / 12.
    assert np.mean((targets[:, -1] - 1) ** 2) == pytest.approx(
        TASKS["adding"].baseline(20), abs=0.004
    )


def test_the_targets_of_copy_are_the_first_symbols():
    inputs, targets, scored = make("copy")
    numbers = inputs.argmax(axis=-1)
    np.testing.assert_array_equal(targets[:, -3:], numbers[:, :3])
    assert (numbers[:, 3:-3] == 4).all()
    assert (numbers[:, -3:] == 5).all()
    assert scored.sum() == 3 * len(scored)


def test_the_target_of_temporal_order_is_the_order_of_the_marks():
    inputs, targets, _ = make("order")
    for letters, answer in zip(inputs.argmax(axis=-1), targets[:, -1], strict=True):
        places = np.flatnonzero(letters >= 4)
        assert len(places) == 2
        assert 2 <= places[0] < 4 <= 10 <= places[1] < 12
        assert answer == 2 * (letters[places[0]] - 4) + letters[places[1]] - 4


def test_parity_counts_the_ones_so_far():
    inputs, targets, _ = make("parity", 5, 1)
    ones = 0
    for bit, answer in zip(inputs[0, :, 0], targets[0], strict=True):
        ones += bit > 0
        assert answer == ones % 2


def test_reber_strings_follow_the_grammar_and_repeat_their_second_letter():
    inputs, targets, scored = make("reber", 17)
    for row, following in zip(inputs.argmax(axis=-1), targets, strict=True):
        word = [LETTERS[n] for n in row]
        assert word[0] == "B"
        assert word[-1] == "E"
        assert word[1] == word[-2]
        state = 0
        for letter in word[2:-2]:
            state = GRAMMAR[state][letter]  # a KeyError is a letter that may not come
        assert state == len(GRAMMAR) - 1
        np.testing.assert_array_equal(following[:-1], row[1:])
    assert (scored[:, -1] == 0).all()
    first = {"".join(LETTERS[n] for n in row[2:-2]) for row in inputs.argmax(axis=-1)}
    assert len(first) > 20


def test_the_reber_baseline_equals_a_calculation_by_hand():
    # 10 letters leave 6 for the inner string: three ways, found by hand in the grammar. Each takes
    # four coin tosses, so all are as likely: a chance of 1 in 3.
    inputs, _, _ = make("reber", 10)
    inner = [row[2:-2] for row in inputs.argmax(axis=-1)]
    inner = {"".join(LETTERS[n] for n in row) for row in inner}
    assert inner == {"BTSXSE", "BPTVVE", "BPVPSE"}
    # Nine letters are to be foretold: ln 2 for the second, ln 3 inside, ln 2 for the last but one.
    assert TASKS["reber"].baseline(10) == pytest.approx((2 * np.log(2) + np.log(3)) / 9, abs=0.005)


def test_the_race_trains_as_keras_does(short_race):
    """Keras trains the same networks on the same batches with its own loop."""
    setting = short_race.setting
    task = TASKS[setting.task]
    for cell, runner in short_race.runners.items():
        network = races.make_network(cell, 4, setting.task, setting.seed)
        optimizer = keras.optimizers.Adam(setting.rate, global_clipnorm=setting.clip)
        network.compile(optimizer=optimizer, loss="mse", run_eagerly=False)
        losses = []
        for step in range(12):
            rng = np.random.default_rng((setting.seed, 2, step))
            inputs, targets, scored = task.make(rng, setting.batch, setting.length)
            scored = scored / scored.mean()
            losses.append(
                float(network.train_on_batch(inputs, targets[..., None], sample_weight=scored))
            )
        assert runner.losses[1] == pytest.approx(np.mean(losses[:7]), rel=1e-3)
        assert runner.losses[2] == pytest.approx(np.mean(losses[7:]), rel=1e-3)
        for ours, theirs in zip(runner.weights, network.get_weights(), strict=True):
            np.testing.assert_allclose(np.asarray(ours), theirs, atol=2e-4)


def test_loss_and_accuracy_equal_a_calculation_by_hand():
    targets, scored = np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])
    assert compute_loss(np.array([[[9.0], [0.5]]]), targets, scored) == pytest.approx(0.25)
    logits = np.log(np.array([[[0.5, 0.5], [0.2, 0.8]]]))
    assert compute_loss(logits, np.array([[0, 1]]), np.ones((1, 2))) == pytest.approx(
        -(np.log(0.5) + np.log(0.8)) / 2
    )
    assert compute_accuracy(np.array([[[1.05], [1.2]]]), np.array([[1.0, 1.0]])) == 0.5
    assert compute_accuracy(logits[:, 1:], np.array([[1]])) == 1


def test_gradients_by_lag_equal_numpy(short_race):
    """|∂L/∂h| of the plain RNN, by the chain rule written out for its weights."""
    runner = short_race.runners["rnn"]
    kernel, recurrent, bias, out, out_bias = (np.asarray(w, float) for w in runner.weights)
    inputs, targets, _ = short_race.test
    lengths = []
    for sequence, target in zip(
        inputs[: races.GRADIENT_SEQUENCES], targets[: races.GRADIENT_SEQUENCES], strict=True
    ):
        hidden, states = np.zeros(4), []
        for x in sequence:
            hidden = np.tanh(x @ kernel + hidden @ recurrent + bias)
            states.append(hidden)
        gradient = 2 * (hidden @ out[:, 0] + out_bias[0] - target[-1]) * out[:, 0]
        row = [np.linalg.norm(gradient)]
        for hidden in states[:0:-1]:
            gradient = (gradient * (1 - hidden**2)) @ recurrent.T
            row.append(np.linalg.norm(gradient))
        lengths.append(row)
    np.testing.assert_allclose(runner.gradients[-1], np.mean(lengths, axis=0), rtol=1e-3)
    assert gradient_norms(np.zeros((1, 3, 2, 2)), np.ones((1, 2))).tolist() == [np.sqrt(2), 0, 0]


def test_the_number_of_steps_per_update_changes_nothing(short_race):
    other = Race(short_race.setting)
    [*other.prepare()]
    other.advance(12)
    for cell, runner in short_race.runners.items():
        np.testing.assert_allclose(runner.tests[-1], other.runners[cell].tests[-1], rtol=1e-4)


@pytest.mark.parametrize("end", ["stop", "pause"])
def test_updates_of_a_run_leave_an_error_message_in_place(short_race, end):
    slot = RunSlot()
    token = slot.begin(short_race)
    slot.stopped = False
    updates = tab._run(slot, short_race, token, 1)
    assert next(updates)[0] == ""
    assert next(updates)[0] == gr.skip()
    getattr(slot, end)()
    (last,) = updates
    assert last[0] == gr.skip()
    assert {"stop": "Stopped", "pause": "Paused"}[end] in last[1]


def test_a_refused_start_pauses_the_race_that_it_has_ended(short_race, texts):
    slot = RunSlot()
    slot.begin(short_race)
    slot.release()  # as the button does
    (outputs,) = tab._begin(
        slot, *[0 if knob is tab.LENGTH else knob.default for knob in tab.KNOBS]
    )
    texts(outputs[0])
    assert f"Paused at step {short_race.done}" in outputs[1]
    assert slot.paused and slot.subject is short_race


def test_equal_parameter_counts():
    setting = Setting(units=16, matched=True)
    sizes = units_by_cell(setting)
    assert sizes["lstm"] == 16
    counts = {cell: count_parameters(cell, units, "adding") for cell, units in sizes.items()}
    assert max(counts.values()) < 1.05 * min(counts.values())
    for cell in sizes:
        network = races.make_network(cell, 5, "order")
        assert count_parameters(cell, 5, "order") == sum(
            weight.size for weight in network.get_weights()
        )
    assert set(units_by_cell(Setting(units=16)).values()) == {16}


def test_a_diverged_cell_is_reported_with_its_step():
    race = Race(Setting(cells=("irnn",), rate=1.0, clip=1000.0, **(SMALL | {"length": 200})))
    [*race.prepare()]
    race.advance(60)
    runner = race.runners["irnn"]
    assert runner.diverged is not None
    assert all(np.isfinite(np.asarray(weight)).all() for weight in runner.weights)
    assert race.over()
    said = views.results(race)
    assert f"diverged at step {runner.diverged}" in said
    assert "smaller learning rate" in said
    before = race.done
    race.advance(10)
    assert (race.done, runner.diverged <= before) == (before + 10, True)


def test_unusable_settings_are_refused(texts):
    defaults = {knob.name: knob.default for knob in tab.KNOBS}
    for change in ({"rate": 0}, {"cells": []}, {"length": 10**6}, {"task": "chess"}):
        with pytest.raises(UserError) as error:
            tab._check(*(defaults | change).values())
        texts(error.value)


def test_the_listing_computes_the_same_losses(short_race, capsys):
    names = {}
    exec(races.write_listing(short_race.setting, 12), names)
    for cell, runner in short_race.runners.items():
        assert np.mean(names["losses"][cell][:7]) == pytest.approx(runner.losses[1], rel=1e-3)
    assert "lstm" in capsys.readouterr().out


def test_beyond_the_limit_of_xla_graphs_one_plain_graph_serves_all_lengths(short_race, monkeypatch):
    monkeypatch.setattr(races, "_xla_graphs", set())
    monkeypatch.setattr(races, "MAX_XLA_GRAPHS", 0)
    for length in (12, 15, 10, 17):
        race = Race(Setting(cells=("lstm",), seed=3, **{**SMALL, "length": length}))
        race.advance(7)
        if length == 12:
            fast = short_race.runners["lstm"].losses[1]
            assert race.runners["lstm"].losses[0] == pytest.approx(fast, rel=1e-4)
    plain, _, _ = races.compiled("lstm", 4, "adding")
    assert plain.experimental_get_tracing_count() == 2


def test_sizes_of_networks_beyond_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(races, "_networks", set())
    monkeypatch.setattr(races, "MAX_NETWORKS", 2)
    Race(Setting(cells=("rnn", "lstm"), **SMALL))
    with pytest.raises(UserError, match="Choose 32 units"):
        Race(Setting(cells=("rnn", "gru"), **SMALL))
    Race(Setting(cells=("lstm",), **SMALL))
    Race(Setting(cells=("gru",)))
