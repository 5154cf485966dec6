"""How long recordings are kept, and how they go: holds, disposal, erasure on request."""
