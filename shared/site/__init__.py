"""What every page of the site shares; besides `app.py` and the tabs, the only code on Gradio."""
