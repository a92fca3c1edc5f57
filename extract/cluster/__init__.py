"""ExtractionResult on a Dask cluster."""
