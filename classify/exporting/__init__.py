"""A whole model as one file: from the pixels of an image of any size to probabilities."""
