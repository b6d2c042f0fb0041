"""Sentiment of texts: `python -m training.sentiment train|general|evaluate|sources|study`."""
