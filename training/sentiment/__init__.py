"""Sentiment of film reviews: `python -m training.sentiment train|evaluate|study`."""
