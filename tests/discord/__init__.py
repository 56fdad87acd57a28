"""The Discord adapter over real sockets: a loopback Discord, an unmodified discord.py."""
