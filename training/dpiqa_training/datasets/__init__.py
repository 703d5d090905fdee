"""Readers of labelled photo collections, one layout a file."""
