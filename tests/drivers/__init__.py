"""The rim against real sockets, the real SDK, the real scheduler."""
