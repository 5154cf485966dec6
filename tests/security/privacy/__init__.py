"""Privacy: everything that the functions write in any test is searched for forbidden content."""
