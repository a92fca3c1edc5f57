"""Evidence maps on pages."""
