"""The one loop: accept -> commit -> perform -> accept."""
