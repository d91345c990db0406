"""standby.py: a PostgreSQL that follows another one by streaming, and takes over.

Uses     servers.py; pg_basebackup of the server's own package.
"""

from __future__ import annotations

from pathlib import Path

from servers import POSTGRES_BIN, Postgres
from weir_process import wait_until

CAUGHT_UP_TIMEOUT_S = 30.0


class Standby(Postgres):
    """Begins as a copy of its primary, which must be running, and replays what that one streams."""

    name = "the standby"

    def __init__(self, directory: Path | str, primary: Postgres):
        super().__init__(directory, primary.settings)
        self.primary = primary

    def _format(self) -> None:
        self._run([str(POSTGRES_BIN / "pg_basebackup"), "-D", str(self.data_dir), "-h", "127.0.0.1",
                   "-p", str(self.primary.port), "-U", self.superuser, "--write-recovery-conf",
                   "--checkpoint=fast", "--no-sync"])

    def _populate(self) -> None:
        """Everything is there already."""

    def catch_up(self) -> None:
        """Returns when it has all that its primary has by now."""
        written = self.primary.psql("SELECT pg_current_wal_lsn()").strip()
        wait_until(lambda: self.psql(f"SELECT pg_last_wal_replay_lsn() >= '{written}'").strip() == "t",
                   CAUGHT_UP_TIMEOUT_S, "the standby to catch up", every_s=0.05)

    def fall_behind(self) -> None:
        """From now on it gets nothing, and its primary does not know."""
        self._set("primary_conninfo = ''")
        wait_until(lambda: self.psql("SELECT count(*) FROM pg_stat_wal_receiver").strip() == "0",
                   CAUGHT_UP_TIMEOUT_S, "the stream to end", every_s=0.05)

    def promote(self) -> None:
        """Returns when it takes writes."""
        assert self.psql("SELECT pg_promote()").strip() == "t"

    def _set(self, setting: str) -> None:
        self.psql(f"ALTER SYSTEM SET {setting}")
        self.psql("SELECT pg_reload_conf()")
