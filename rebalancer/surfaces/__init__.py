"""Surfaces: a proposal as files for people."""
