"""The only part that sees storage and wires objects together; everybody else is given what they need."""

from bots.app.chores import alone, migrated, restored
from bots.app.data import lost_database
from bots.app.looking import Reading, examined, holder, key_told, reading
from bots.app.program import App, Suggesting, chosen_model
from storage.reading import SessionDetail, SessionLine

__all__ = [
    "App",
    "Reading",
    "SessionDetail",
    "SessionLine",
    "Suggesting",
    "alone",
    "chosen_model",
    "examined",
    "holder",
    "key_told",
    "lost_database",
    "migrated",
    "reading",
    "restored",
]
