"""From landing to outputs: routing, planning, committing, held files and the sweep."""
