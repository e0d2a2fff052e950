"""Participants: the library, and the bots and people that speak through it."""
