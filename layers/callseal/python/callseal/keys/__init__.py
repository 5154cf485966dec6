"""A key's life: judged, accepted, proven, in use, running out, retired. Values in, values out; nothing of AWS."""
