"""Callseal seals call recordings to the public key of the tenant they belong to, the moment they land.

A functional core that knows nothing of AWS, and a thin shell around it; the arrows point one way
(tests/unit/test_architecture.py holds them):

    functions -> delivery, sweep -> core: landing settings routing recipients envelopes audit notification
                                 -> AWS:  aws.storage aws.tenants aws.bus aws.queue
                                 -> errors
"""
