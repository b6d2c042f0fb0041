"""Language models to pretrain other networks: `python -m training.language_model train|evaluate`."""
