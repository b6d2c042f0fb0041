"""Price forecasting: `python -m training.forecasting train|evaluate`."""
