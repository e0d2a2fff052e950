"""The wire: generated code, and its conversion to and from the values of the core."""
