"""One run: every classifier is trained, evaluated and recorded."""
