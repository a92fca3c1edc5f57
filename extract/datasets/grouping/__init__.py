"""Which images belong together, as those of a patient or a site: sources, checks and signs."""
