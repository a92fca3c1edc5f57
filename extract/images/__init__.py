"""Bytes -> pixels: reading, decoding safely in worker processes, resizing."""
