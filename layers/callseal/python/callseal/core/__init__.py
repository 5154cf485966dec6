"""Values and rules that every room shares: errors, landing keys, audit events, log. Standard library only."""
