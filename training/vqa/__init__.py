"""Answers to questions about photographs: `python -m training.vqa train|evaluate`."""
