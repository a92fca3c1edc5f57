"""Predictions of a saved model: for files and images in memory, and in a web application."""
