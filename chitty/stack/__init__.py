"""The launcher: a stack of one server and its participants under supervisord, in one directory."""
