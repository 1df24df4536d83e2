"""Explanations of a finished proposal."""
