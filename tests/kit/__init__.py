"""Doubles for what is outside the program, each over a real interface; no mock of our own ports."""
