"""Triton kernels, one file each; importing one imports Triton."""
