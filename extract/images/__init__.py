"""From bytes to pixels: reading files, decoding them safely in worker processes, resizing."""
