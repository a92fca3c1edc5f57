"""One run: every requested classifier trained, judged and recorded."""
