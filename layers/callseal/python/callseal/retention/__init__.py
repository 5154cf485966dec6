"""The law: how long recordings must and may be kept, and what ends them. It works on the cards of calls."""
