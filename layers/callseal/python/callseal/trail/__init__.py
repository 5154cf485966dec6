"""The audit trail's two copies, the log group and the locked bucket: how they are written, and how they compare."""
