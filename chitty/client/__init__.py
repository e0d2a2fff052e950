"""Participants: the library, and the bots and people that speak through it."""

import os

# Read when grpc is imported. Its handlers of a fork crash a good part of the children, and help none: see forks.py.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
