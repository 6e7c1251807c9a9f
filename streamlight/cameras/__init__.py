"""Cameras that run: each with its source, its outputs and its share of one engine."""
