"""The names of a tenant's secrets and parameters. They are a public interface: operators see them in the console.

A prefix is `<stack>/tenants`, without slashes around it.
"""

from callseal.core.landing import TENANT

_KEY, _SFTP_KEYS, _SETTINGS, _POLICY, _ACCESS = "public-key", "sftp-keys", "settings", "policy", "access"


def tenants_prefix(stack: str) -> str:
    """Return the prefix of the tenants' names in a stack."""
    return f"{stack}/tenants"


def key_secret(prefix: str, tenant: str) -> str:
    """Return the name of the secret that holds a tenant's public key."""
    return f"{prefix}/{tenant}/{_KEY}"


def sftp_keys_secret(prefix: str, tenant: str) -> str:
    """Return the name of the secret that holds a tenant's SSH keys."""
    return f"{prefix}/{tenant}/{_SFTP_KEYS}"


def settings_parameter(prefix: str, tenant: str) -> str:
    """Return the name of the parameter that holds a tenant's settings."""
    return f"/{prefix}/{tenant}/{_SETTINGS}"


def policy_parameter(prefix: str, tenant: str) -> str:
    """Return the name of the parameter that holds a tenant's policy."""
    return f"/{prefix}/{tenant}/{_POLICY}"


def access_parameter(prefix: str, tenant: str) -> str:
    """Return the name of the parameter that holds a tenant's access."""
    return f"/{prefix}/{tenant}/{_ACCESS}"


def tenant_of_secret(name: str, prefix: str) -> str | None:
    """Return the tenant whose public key a secret holds, or None for any other secret."""
    return _tenant(name, f"{prefix}/", f"/{_KEY}")


def tenant_of_parameter(name: str, prefix: str) -> str | None:
    """Return the tenant whose settings or policy a parameter holds, or None for any other parameter."""
    return tenant_of_settings(name, prefix) or _tenant(name, f"/{prefix}/", f"/{_POLICY}")


def tenant_of_settings(name: str, prefix: str) -> str | None:
    """Return the tenant whose settings a parameter holds, or None for any other parameter."""
    return _tenant(name, f"/{prefix}/", f"/{_SETTINGS}")


def _tenant(name: str, start: str, end: str) -> str | None:
    if len(name) < len(start) + len(end) or not (name.startswith(start) and name.endswith(end)):
        return None
    tenant = name[len(start) : -len(end)]
    return tenant if TENANT.fullmatch(tenant) else None
