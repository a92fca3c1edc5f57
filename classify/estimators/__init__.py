"""scikit-learn classifiers on embeddings."""
