"""Copies of a photograph, proposed by local features and embeddings and proven by geometry."""
