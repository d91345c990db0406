"""kills.py: kills a running weir again and again, at moments drawn from a seed.

Uses     stage.py, ledger.py.

J1  A kill counts only if the process died of it while rows were still to be written.
J2  Moments come from a seed that is printed: some while weir starts and recovers, most within a few
    batches after its first commit.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import psycopg

import ledger
from stage import Stage
from weir_process import Weir, wait_until

STARTING_SHARE = 0.3       # of the kills that strike while weir starts
STARTING_S = 0.15          # ... at most this long after its start
RUNNING_S = 0.012          # the others strike at most this long after the life's first commit
FIRST_COMMIT_TIMEOUT_S = 60.0
LIVES_PER_KILL = 4         # lives without a counted kill are in order, but not for ever


@dataclass
class Campaign:
    """Sends the orders in slices, so that each life finds work, and kills weir over them."""

    stage: Stage
    weir: Weir
    rows: int
    kills: int
    seed: int
    arguments: tuple[str, ...] = ()
    counted: int = 0
    while_starting: int = 0
    lives: int = 0
    moments: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Kills until `kills` are counted, then lets weir finish."""
        chance = random.Random(self.seed)
        print(f"kills: seed {self.seed}, {self.kills} over {self.rows} rows")
        with psycopg.connect(self.stage.dsn, autocommit=True) as watch:
            while self.counted < self.kills:
                self.lives += 1
                assert self.lives <= LIVES_PER_KILL * self.kills, f"too few kills hit: {self}"
                self.feed()
                self.one_life(chance, watch)
        self.feed(everything=True)
        self.weir.finish(300, *self.arguments)
        print(f"kills: {self.counted} counted ({self.while_starting} while starting) in {self.lives} "
              f"lives: {', '.join(self.moments)}")

    def feed(self, everything: bool = False) -> None:
        """Sends a slice more than there are kills behind us."""
        share = 1.0 if everything else min(1.0, (self.counted + 1) / (self.kills + 1))
        missing = int(self.rows * share) - len(self.stage.sent)
        if missing > 0:
            self.stage.send(missing)

    def one_life(self, chance: random.Random, watch: psycopg.Connection) -> None:
        starting = chance.random() < STARTING_SHARE
        delay_s = chance.uniform(0, STARTING_S if starting else RUNNING_S)
        before = ledger.batch_number(watch)
        self.weir.start(*self.arguments)
        if not starting:
            wait_until(lambda: self.moved(watch, before), FIRST_COMMIT_TIMEOUT_S,
                       f"the first commit of a life{self.weir.tail()}", 0.0005)
        time.sleep(delay_s)
        if not self.weir.kill9():
            raise AssertionError(f"weir ended by itself{self.weir.tail()}")
        if self.records_in(watch) < len(self.stage.sent):
            self.counted += 1
            self.while_starting += starting
            self.moments.append(f"{'s' if starting else 'r'}{delay_s * 1000:.1f}ms")

    def moved(self, watch: psycopg.Connection, before: int) -> bool:
        if not self.weir.is_running:
            raise AssertionError(f"weir ended by itself{self.weir.tail()}")
        return ledger.batch_number(watch) > before

    def records_in(self, watch: psycopg.Connection) -> int:
        """Records that the ledger says are in, or will be: a dead client's COMMIT may be running."""
        return sum(ledger.ends(watch).values()) if ledger.exists(watch) else 0
