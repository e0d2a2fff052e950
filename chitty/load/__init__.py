"""Load, and what Chitty-Chat is measured against: processes that `chitty bench` starts by name.

Each is told what to do in JSON lines on its standard input, and answers in JSON lines: see `orders`.
"""
