"""The whole of Steersman from outside: its command line, stock kubectl, the official Python client, real containers."""
