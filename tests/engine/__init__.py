"""The engine on the real store and the real local board."""
