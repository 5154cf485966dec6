"""The audit trail's two copies, in a log group and in a bucket under Object Lock: locking and comparing them."""
