"""Properties of image files other than what they show: how they were taken, stored and named."""
