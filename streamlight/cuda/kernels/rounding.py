"""Rounding as PyTorch does it."""

import triton
import triton.language as tl


@triton.jit
def round_even(x):
    """Round |x| < 2**22 to the nearest integer, ties to even.

    Floats between 2**23 and 2**24 are the integers, so adding 1.5 * 2**23 rounds.
    """
    shift: tl.constexpr = 12582912.0
    return (x + shift) - shift
