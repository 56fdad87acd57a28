"""What survives when the power goes: an SQLite VFS that forgets, tears and reorders what was not synced."""
