"""What outlives the process: the store behind the ports of core, its schema, and the sealed credentials."""
