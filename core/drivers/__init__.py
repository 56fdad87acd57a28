"""The rim: what touches clocks, networks and timers, each behind a port of `core.engine.ports`."""
