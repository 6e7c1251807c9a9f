"""Training: dark pictures made from photographs, the loop, checkpoints, model cards.

Imports no torch; the modules do. `docs/training.md` tells what is trained how, and why.
"""
