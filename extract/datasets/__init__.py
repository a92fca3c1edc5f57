"""Which image has which label and which split; where data sets come from."""
