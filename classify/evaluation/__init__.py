"""Metrics, calibration, thresholds, held-out predictions, learning curves, comparison."""
