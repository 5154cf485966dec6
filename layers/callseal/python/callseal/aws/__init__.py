"""The thin shell: small modules that talk to one AWS service each, with a client that is handed to them."""
