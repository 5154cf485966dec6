"""The thin shell: small modules that each call one AWS service, with a client that they get as an argument."""
