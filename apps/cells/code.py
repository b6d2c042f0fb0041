"""Writing the code that a lesson has just run, for a visitor to run again."""

import numpy as np

WHERE = "# Run this in a clone of this site's repository, from its root."


def script(*blocks):
    """Blocks of code as one script, a blank line between them, with where to run it."""
    return "\n\n".join([WHERE, *(block.strip("\n") for block in blocks)]) + "\n"


def array(values):
    """The code of a float32 array that holds exactly these numbers, on lines of 100 letters."""
    values = np.asarray(values, "float32")
    written = np.array2string(
        values,
        separator=", ",
        threshold=values.size + 1,
        max_line_width=90,
        formatter={"float_kind": lambda number: np.format_float_positional(number, trim="0")},
    )
    return f'np.array({written}, "float32")'
