"""The web application around a saved model, and the server that runs it."""
