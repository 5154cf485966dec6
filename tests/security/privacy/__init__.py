"""Privacy: what the functions write in any test, read for what must never stand there."""
