"""A simulated year of the law: days pass, and an independent judge checks what is kept, held, locked and deleted."""
