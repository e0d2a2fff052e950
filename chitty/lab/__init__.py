"""The laboratory: what drives a stack as a whole. Knows the launcher and the trace; neither knows it."""
