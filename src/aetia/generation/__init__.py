"""Generative models of tables and images: data in, Draws out."""
