"""Plays and articles, by characters: `python -m training.characters train|evaluate`."""
