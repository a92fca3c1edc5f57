"""Ground floor: errors, progress, the console, addresses, CSV cells and significance tests."""
