"""What the tests and the demo stand on: a real PostgreSQL cluster, the proxy as a process, and peers."""
