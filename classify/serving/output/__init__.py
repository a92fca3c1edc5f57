"""Predictions for a reader: lines, cells of a table, JSON; and a table that goes on."""
