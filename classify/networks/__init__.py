"""Keras networks as scikit-learn classifiers."""
