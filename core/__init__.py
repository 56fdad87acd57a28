"""The session core: pure rules, the engine that carries them out, and the drivers at the rim."""
