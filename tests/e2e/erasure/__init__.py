"""An erasure on the complete system, and a search for what it has left."""
