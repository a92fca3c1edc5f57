"""Ground floor: errors, progress, the console, addresses and CSV cells."""
