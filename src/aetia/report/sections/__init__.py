"""Sections of a page, made of a few kinds of blocks."""
