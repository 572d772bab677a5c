"""Verbs; no maths."""
