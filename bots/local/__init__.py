"""The built-in web chat: a platform adapter like the others, on a board of its own, with no token needed."""
