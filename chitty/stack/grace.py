"""How long a process has to end when it is asked to; what is written for supervisord, and waited for."""

SERVER = 15
"""Seconds after which supervisord kills a server; it drains within 4."""

CLIENT = 5
"""Seconds after which supervisord kills a participant; it leaves within 4.5."""

REAPED = 5
"""Seconds that supervisord may take besides, to kill and to notice."""
