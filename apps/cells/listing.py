"""Writes the code listings of the lessons: what a lesson has just computed, ready to run again."""

import numpy as np

HEADER = "# Run this in a clone of this site's repository, from its root."


def write_script(*blocks):
    """Joins blocks of code into one script, below a line that says where to run it."""
    return "\n\n".join([HEADER, *(block.strip("\n") for block in blocks)]) + "\n"


def write_array(values):
    """Writes the code of a float32 array that holds exactly these numbers."""
    values = np.asarray(values, "float32")
    text = np.array2string(
        values,
        separator=", ",
        threshold=values.size + 1,
        max_line_width=90,
        formatter={"float_kind": lambda number: np.format_float_positional(number, trim="0")},
    )
    return f'np.array({text}, "float32")'
