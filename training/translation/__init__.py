"""English–French translation: `python -m training.translation train|evaluate`."""
