"""The rules of Chitty-Chat, pure: no I/O, no wall clock, no chance, no network."""
