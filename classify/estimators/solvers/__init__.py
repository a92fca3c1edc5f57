"""Numerical methods that the estimators share."""
