"""Values and rules that all rooms share: errors, landing keys, audit events, formats, log. Standard library only."""
