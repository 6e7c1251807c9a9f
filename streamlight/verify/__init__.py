"""Compares a written file with the file it was made from."""

from streamlight.verify.files import Expectation, Verification, verify_file
from streamlight.verify.frames import FrameMatch
from streamlight.verify.streams import Difference

__all__ = [
    "Difference",
    "Expectation",
    "FrameMatch",
    "Verification",
    "verify_file",
]
