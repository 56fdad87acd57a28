"""Slack: the adapter on the agent surface. Start reading at `README.md`, then `wire`, `render`, `adapter`."""
