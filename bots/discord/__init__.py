"""Discord as a platform, on discord.py's gateway and a REST sender of our own."""
