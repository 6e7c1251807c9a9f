"""The detail network on NVIDIA GPUs: Triton kernels, CUDA graphs, pinned copies.

Every kernel of `kernels` has a twin of the same signature in `plain`, which runs anywhere and is
what it is tested against. docs/gpu.md tells how it fits together and what is proven where.
"""
