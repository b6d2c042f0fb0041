"""Language models to pretrain other networks with."""
