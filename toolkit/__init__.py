"""Ground floor: what all packages share, from errors and progress to addresses and CSV cells."""
