"""The rules of the conversation, one file per idea, called by `core.domain.decide`."""
