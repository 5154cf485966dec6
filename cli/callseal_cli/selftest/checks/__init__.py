"""The checks of the selftest in the order in which they run, those with the longest waits last."""

from callseal_cli.selftest.checks import audit, delivery, held, keys, refusals, sftp
from callseal_cli.selftest.model import Check

CHECKS: tuple[Check, ...] = (
    delivery.taken_up,
    delivery.sealed_gcm,
    delivery.sealed_cbc,
    delivery.sealed_openpgp,
    delivery.second_copy,
    held.held,
    held.released,
    held.missing_key,
    keys.announced,
    sftp.listing,
    sftp.fetch,
    sftp.fetched,
    sftp.rejected_connection,
    refusals.overwrite,
    refusals.unconditional,
    refusals.aws_managed_key,
    refusals.customer_key,
    audit.log_group,
    audit.locked_copy,
    audit.retention,
)
