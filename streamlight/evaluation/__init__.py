"""Measuring: pictures and clips made dark by a recipe, metrics, and the methods to compare with.

Needs `pip install "streamlight[evaluate]"` (OpenCV, scikit-image, SciPy); this package itself
imports none of them.
"""
