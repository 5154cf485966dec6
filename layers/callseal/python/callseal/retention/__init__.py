"""How long recordings are kept: disposal, holds and erasure."""
