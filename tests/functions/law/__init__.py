"""The truth table of the law: what each action does to a recording, for each state that a recording can be in."""
