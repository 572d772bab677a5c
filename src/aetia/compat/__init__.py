"""Interfaces of the packages that aetia replaces, on top of its own classes."""
