"""The layer tests that are run again on JAX and on PyTorch, each in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TESTS = [
    "test_cells.py::test_lstm_by_hand",
    "test_cells.py::test_cell_inside_keras_rnn[lstm peepholes]",
    "test_cells.py::test_mixed_precision[gru reset before-mixed_bfloat16]",
    "test_recurrent.py::test_outputs_and_gradients_equal_keras[sequences-and-state-padded-rnn]",
    "test_recurrent.py::test_outputs_and_gradients_equal_keras[sequences-and-state-padded-lstm]",
    "test_recurrent.py::test_outputs_and_gradients_equal_keras[sequences-and-state-padded-gru]",
    "test_recurrent.py::test_outputs_and_gradients_equal_keras[backwards-holes-gru reset before]",
    "test_recurrent.py::test_bidirectional_equals_keras[lstm-concat]",
    "test_recurrent.py::test_stack_equals_keras_layers_in_a_row[rnn]",
    "test_recurrent.py::test_stateful_equals_keras[gru]",
    "test_recurrent.py::test_gradients_under_dropout_equal_automatic_ones[lstm coupled peepholes]",
    "test_recurrent.py::test_vjp_equals_the_automatic_gradient_of_the_inputs[True-gru]",
    "test_recurrent.py::test_trace_equals_numpy[False-gru]",
    "test_recurrent.py::test_masking_layer_before",
    "test_recursive.py::test_a_step_by_hand",
    "test_recursive.py::test_many_trees_at_once_equal_one_by_one[eager-2]",
    "test_recurrent.py::test_saved_model_gives_the_same_outputs[stacked]",
    "test_recurrent.py::test_model_fits",
    "test_recurrent.py::test_a_compiled_model_carries_states",
    "test_recurrent.py::test_carried_states_are_no_weights[Bidirectional]",
    "test_recurrent.py::test_gradients_under_dropout_per_gate_equal_automatic_ones[gru]",
    "test_recurrent.py::test_both_outputs_unmerged_equal_keras[True-True]",
    "test_attention.py::test_the_mask_attached_to_the_memory_counts[additive]",
    "test_recurrent.py::test_options_of_the_cells_equal_keras[function-gru]",
    "test_recurrent.py::test_a_cell_with_a_step_alone_learns[StepCell-eager]",
    "test_drop_in.py::test_named_layers_equal_keras[options0-LSTM]",
    "test_drop_in.py::test_cells_of_keras_and_lists_of_cells_run_here_as_there[False-list]",
    "test_further_cells.py::test_a_loop_of_keras_gives_the_same_numbers_and_gradients[slstm]",
    "test_further_cells.py::test_a_loop_of_keras_gives_the_same_numbers_and_gradients[lru]",
    "test_further_cells.py::test_a_loop_of_keras_gives_the_same_numbers_and_gradients[layer norm]",
    "test_further_cells.py::test_the_scan_equals_the_steps_at_any_length_and_from_any_state[1-lru]",
]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_same_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        pytest.skip("all tests run on this backend already")
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *(str(HERE / test) for test in TESTS)],
        env=environment,
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(TESTS)} passed" in run.stdout
