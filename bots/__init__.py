"""The rim towards people: one adapter for each platform, the web surface, and the place that wires all."""
