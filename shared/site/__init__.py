"""What all pages of the site use. Only this package, `app.py` and the tabs import Gradio."""
