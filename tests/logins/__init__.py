"""Tests of logins at tool servers: the vault, the way to sign in, and what the chat makes of both."""
