"""Performs RefreshCredential: renews a login ahead of its expiry, gives one back that was disconnected.

Knows: the vault and its rows. Must not know: OAuth, rules, when a login is due.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from core.domain.effects import RefreshCredential
from core.domain.entities import EffectRow
from core.domain.errors import Ambiguous, NotSent
from core.domain.events import CredentialDue, CredentialReady, Outcome
from core.domain.rules.attempts import ATTEMPTS_MAX
from core.domain.tooling import CredentialStatus
from core.engine.ports import Clock, Intake
from core.engine.vault import CredentialRows, KeptVault

AHEAD_MS = 5 * 60_000  # logins that end sooner are renewed by the job
USED_MS = 3 * 24 * 3_600_000  # ... while they are used: a refresh token that nobody needs is left alone
LOOK_LOGINS = 100  # at one look of the job

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshing:
    """Carries the effect out; without a vault there is nothing to do."""

    vault: KeptVault | None = None
    rows: CredentialRows | None = None

    async def refresh(self, row: EffectRow, effect: RefreshCredential) -> Outcome:
        """Bring the login to where it shall be. Raises `NotSent` while the server does not answer."""
        ready = CredentialReady(session_id=row.session_id, credential_id=effect.credential_id)
        if self.vault is None or self.rows is None:
            return ready
        found = await self.rows.credential_by_id(effect.credential_id)
        if found is not None and found.status is CredentialStatus.ENDING:
            await self._end(self.vault, self.rows, row, found.id)
        elif found is not None and effect.version:
            await self.vault.refresh(effect.credential_id, effect.version)
        return ready

    @staticmethod
    async def _end(vault: KeptVault, rows: CredentialRows, row: EffectRow, credential_id: str) -> None:
        """Revoke it there, delete it here. A server that does not answer three times does not keep it here."""
        try:
            await vault.end(credential_id)
        except (NotSent, Ambiguous) as error:
            if row.attempt < ATTEMPTS_MAX:
                raise
            log.warning("not_revoked", code=error.code)
        await rows.drop(credential_id)


async def look(rows: CredentialRows, clock: Clock, intake: Intake) -> None:
    """The job: each login that ends soon and is used becomes an event. Looking again does no harm."""
    now_ms = clock.now_ms()
    for credential_id, version in await rows.due(now_ms + AHEAD_MS, now_ms - USED_MS, LOOK_LOGINS):
        key = f"refresh:{credential_id}:{version}"
        await intake.accept(CredentialDue(source_keys=(key,), credential_id=credential_id, version=version))
