"""What people do about the law in the archive's API: holds and erasures.

The routes need `archive` (who asks, and may it) and `retention` (holds, the ledger), which do not import each other.
"""
