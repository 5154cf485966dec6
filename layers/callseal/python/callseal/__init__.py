"""Callseal seals call recordings to the public key of the tenant they belong to, as soon as they land.

A room is a folder of this package, on a floor. A room imports from lower floors only, which
tests/unit/test_architecture.py checks:

    wiring      7  settings of the functions, read from the environment once; the container that builds all objects
    delivery    6  from a landed file to its outputs: routing, planning, committing, holding, the sweep, the recheck
    keys        5  the life of a key: check, challenge, prove, register, select
    sftp        5  logins and their audit, SSH keys, delivered files and who fetched them
    trail       5  the two copies of the audit trail: locking, comparing, restoring
    inbound     4  what starts a function: notifications, batches of messages, changes of configuration, timed runs
    tenants     3  settings, names of secrets and parameters, cached look-ups
    aws         2  one module for each AWS service, with the SDK's errors turned into ours: no domain
    crypto      2  envelopes (CMS, OpenPGP), verdicts on keys, gpg: no AWS
    core        1  errors, landing keys, audit events, formats, clock, log, metrics: standard library only
"""
