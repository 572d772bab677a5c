"""DDDM on images: a diffusion transformer, new images of a label."""
