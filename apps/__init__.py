"""The applications, in the order of their tabs: each is a folder with a `tab.py`."""

APPLICATIONS = (
    "sentiment",
    "translation",
    "captioning",
    "vqa",
    "forecasting",
    "cells",
    "analogies",
    "about",
)
