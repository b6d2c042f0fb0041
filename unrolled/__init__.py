"""Unrolled: recurrent layers (`unrolled.layers`) and decoding (`unrolled.decoding`) for Keras 3."""
