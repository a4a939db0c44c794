"""The command ``medsamlite``: one module a command, and what they share."""
