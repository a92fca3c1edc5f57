"""Wrong data: duplicates, label errors, outliers; and the map of the embeddings."""
