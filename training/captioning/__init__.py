"""Captions for photographs: `python -m training.captioning train|evaluate|encoder`."""
