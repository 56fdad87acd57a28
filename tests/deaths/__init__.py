"""The whole program killed at its named points, on real data, while people talk to it on Slack and Discord."""
