"""The HTTP surface that every platform shares: who may call, health, metrics."""
