"""What is known of a call: facts from its metadata, its card, and the tenant's policy that decides about it.

`read_metadata` alone parses metadata. It writes the facts and the policy's outcome to the card, and every other
function reads the card.
"""
