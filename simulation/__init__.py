"""Programs that run the whole system under faults and judge its promises from outside. See README.md."""
