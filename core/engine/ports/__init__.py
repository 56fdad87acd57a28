"""The engine's doors to everything outside, one module each; the docstrings are the contract, one contract suite each.

Knows: what a store, a platform, a model, a clock and the local board must do. Must not know: who implements them.
"""

from core.engine.ports.board import Board, Post, ThreadLine
from core.engine.ports.clock import Clock
from core.engine.ports.model import Cut, Finished, Model, ModelRequest, Said
from core.engine.ports.platform import AnswerState, Heard, Intake, Limits, Piece, Platform, Unreadable
from core.engine.ports.store import Accepted, Claim, Conversation, Decide, Delivery, Doomed, Due, Erased, Store

__all__ = [
    "Accepted",
    "AnswerState",
    "Board",
    "Claim",
    "Clock",
    "Conversation",
    "Cut",
    "Decide",
    "Delivery",
    "Doomed",
    "Due",
    "Erased",
    "Finished",
    "Heard",
    "Intake",
    "Limits",
    "Model",
    "ModelRequest",
    "Piece",
    "Platform",
    "Post",
    "Said",
    "Store",
    "ThreadLine",
    "Unreadable",
]
