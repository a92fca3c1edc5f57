"""Files of embeddings for other programs: written from a data set, and read as one."""
