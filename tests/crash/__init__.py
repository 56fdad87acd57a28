"""What survives when the process dies: at every named point, by kill -9, in random stories."""
