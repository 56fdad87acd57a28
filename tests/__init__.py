"""What a person would notice, checked against real files, real SDKs and real loopback sockets."""
