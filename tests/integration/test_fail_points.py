"""test_fail_points.py: dies at every fail point, in every delivery mode, and recovers.

Uses     fail_points.py, which knows how to come to each point.

The names come from the program itself. A name that no life dies at fails this test, so a point that
was added to the table has to be placed in the code, and reached here. Lives run side by side, on
stages of their own: most of a life is waiting for servers.
"""

from __future__ import annotations

import queue
import signal
import threading
from pathlib import Path

import pytest

import weir_process
from fail_points import MODES, Player, Scene, is_possible, point_names, program, scene_of
from stage import Stage

PLAYERS = 4
CONFIG = 78
TRIES_LATER = {"sink_connect_before", "start_discover_before", "start_claim_before",
               "sink_commit_reply_before", "sink_copy_end_after"}
STOPS = {"start_lock_before", "log_write_before", "log_write_after", "plan_append_after",
         "done_retire_after"}


class Troupe:
    """Players that work through one list of points."""

    def __init__(self, kafka, postgres, scratch: Path, mode: str):
        self.servers, self.scratch, self.mode = (kafka.start(), postgres.start()), scratch, mode
        self.points: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.died_at: list[str] = []
        self.failures: list[str] = []

    def player(self, name: str, partitions: int = 1) -> Player:
        directory = self.scratch / name
        directory.mkdir()
        return Player(Stage(*self.servers, directory), self.mode, partitions)

    def play(self, player: Player, scene: Scene, point: str) -> None:
        scene.play(player, point)
        player.recover()
        self.died_at.append(point)

    def one_point(self, regular: Player, point: str) -> None:
        scene = scene_of(point, self.mode)
        if not scene.own_stage:
            self.play(regular, scene, point)
            return
        player = self.player(point, scene.partitions)
        try:
            self.play(player, scene, point)
        finally:
            player.stage.close()

    def work(self, number: int) -> None:
        regular = self.player(f"player{number}")
        try:
            regular.send()
            regular.recover()
            while True:
                point = self.points.get_nowait()
                try:
                    self.one_point(regular, point)
                except Exception as problem:  # noqa: BLE001 - told with all the others
                    self.failures.append(f"{point}: {problem}")
                    regular.stage.close()
                    regular = self.player(f"after_{point}")
                    regular.send()
                    regular.recover()
        except queue.Empty:
            pass
        finally:
            regular.stage.close()

    def run(self, points: list[str]) -> None:
        for point in points:
            self.points.put(point)
        threads = [threading.Thread(target=self.work, args=(n,)) for n in range(PLAYERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


# covers: D-27, P-01
@pytest.mark.parametrize("mode", MODES)
def test_dies_at_every_point_and_recovers(kafka, postgres, scratch, mode: str):
    points = [point for point in point_names() if is_possible(point, mode)]
    troupe = Troupe(kafka, postgres, scratch, mode)
    troupe.run(points)
    assert not troupe.failures, "\n".join([f"{len(troupe.failures)} points failed", *troupe.failures])
    assert sorted(troupe.died_at) == sorted(points), "points that were never passed"


def test_every_point_is_possible_in_some_mode():
    for point in point_names():
        assert any(is_possible(point, mode) for mode in MODES), point


# ---- the other actions -------------------------------------------------------------------------


@pytest.fixture
def player(stage: Stage) -> Player:
    player = Player(stage, "exactly_once")
    player.send()
    return player


@pytest.mark.parametrize("point", sorted(TRIES_LATER))
def test_a_server_that_fails_is_tried_again(player: Player, point: str):
    player.weir.env["WEIR_FAIL"] = f"{point}:fail"
    player.recover()


@pytest.mark.parametrize("point", sorted(STOPS))
def test_a_log_that_fails_stops_the_pipeline_and_a_restart_recovers(player: Player, point: str):
    player.weir.env["WEIR_FAIL"] = f"{point}:fail"
    player.weir.start(until_caught_up=True)
    player.weir.expect(74)
    assert f"fail point {point}" in player.weir.text()
    del player.weir.env["WEIR_FAIL"]
    player.recover()


def test_stop_and_delay(player: Player):
    player.weir.env["WEIR_FAIL"] = "plan_seal_after:stop:2,done_retire_before:delay=200"
    player.weir.start(until_caught_up=True)
    weir_process.wait_until(player.weir.is_stopped, 20, "SIGSTOP by its own hand")
    player.weir.signal(signal.SIGCONT)
    player.weir.expect(0)
    player.check()


@pytest.mark.parametrize("orders, word", [
    ("sink_comit:kill", "sink_commit_send_before"), ("log_write_before", "POINT:kill"),
    ("log_write_before:explode", "POINT:kill"), ("log_write_before:kill:0", "POINT:kill"),
    ("log_write_before:kill,log_write_before:stop", "once"),
    ("stop_request_before:fail", "cannot fail"), ("log_write_before:delay=", "POINT:kill"),
])
def test_orders_that_make_no_sense_are_refused(player: Player, orders: str, word: str):
    player.weir.env["WEIR_FAIL"] = orders
    player.weir.start(until_caught_up=True)
    player.weir.expect(CONFIG)
    assert word in player.weir.text(), player.weir.text()
    assert not player.weir.data.exists()


def test_a_build_without_points_says_so(stage: Stage):
    done = weir_process.run("version", "--fail-points")
    assert done.returncode == 1 and "without fail points" in done.stderr
    done = weir_process.run("run", stage.order_file(), "--data", stage.dir / "data",
                            env={**stage.environment(), "WEIR_FAIL": "log_write_before:kill"})
    assert done.returncode == CONFIG and "WEIR_FAIL" in done.stderr
    assert program() != weir_process.binary()
