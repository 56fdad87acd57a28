"""Settings, wiring, logs and the command line, with real data directories and real processes."""
