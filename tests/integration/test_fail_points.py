"""test_fail_points.py: dies, fails, stands still and waits at every fail point, and recovers.

Uses     fail_points.py, which knows how to come to each point.

The names come from the program itself. A name that no life dies at fails this test, so a point that
was added to the table has to be placed in the code, and reached here. Lives run side by side, on
stages of their own: most of a life is waiting for servers. What came of each point is left in
build/reports/fail_points.tsv: point, mode, action, result (passed or failed), outcome.
"""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import pytest

import servers
import weir_process
from fail_points import (DONE, FAIL, KILL, MIDDLE, MODES, Player, Scene, can_fail, is_possible,
                         point_names, program, scene_of, with_a_sealed_batch)
from stage import Stage
from weir_process import wait_until

PLAYERS = 4
DEATHS_IN_A_ROW = 8  # lives that are hurt at one point after another, before one is left alone
FENCED, CONFIG = 76, 78
GOOD_ENDS = ("recovered", "nothing lost or doubled", "fenced")
REPORT = servers.BUILD / "reports" / "fail_points.tsv"


def report(mode: str, action: str, results: dict[str, str]) -> None:
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with open(REPORT, "a") as file:
        if file.tell() == 0:
            file.write("point\tmode\taction\tresult\toutcome\n")
        for point, outcome in results.items():
            result = "passed" if outcome.endswith(GOOD_ENDS) else "failed"
            file.write(f"{point}\t{mode}\t{action}\t{result}\t{outcome}\n")


class Troupe:
    """Players that work through one list of points."""

    def __init__(self, kafka, postgres, scratch: Path, mode: str, action: str = KILL):
        self.servers, self.scratch = (kafka.start(), postgres.start()), scratch
        self.mode, self.action = mode, action
        self.points: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.results: dict[str, str] = {}
        self.failures: list[str] = []

    def player(self, name: str, partitions: int = 1) -> Player:
        directory = self.scratch / name
        directory.mkdir()
        return Player(Stage(*self.servers, directory), self.mode, partitions, self.action)

    def play(self, player: Player, scene: Scene, point: str) -> None:
        scene.play(player, point)
        player.look()
        self.results[point] = "died" if self.action == KILL else (
            "tried again" if player.weir.process.returncode == DONE else "stopped")

    def own_stage(self, scene: Scene, point: str) -> None:
        player = self.player(point, scene.partitions)
        try:
            self.play(player, scene, point)
            player.recover()
            self.results[point] += ", recovered"
        finally:
            player.stage.close()

    def recover(self, player: Player, points: list[str]) -> None:
        """All that was sent is there, whatever happened at these points."""
        if points:
            player.recover()
            for point in points:
                self.results[point] += ", recovered"
            points.clear()

    def one_point(self, regular: Player, point: str, open_points: list[str]) -> None:
        scene = scene_of(point, self.mode)
        if scene.own_stage:
            self.own_stage(scene, point)
            return
        open_points.append(point)
        self.results[point] = "never reached"
        self.play(regular, scene, point)
        if len(open_points) >= DEATHS_IN_A_ROW:
            self.recover(regular, open_points)

    def begin(self, player: Player) -> None:
        """A first life without a fault. One that fails is told as well: nobody sees a thread end."""
        try:
            player.send()
            player.recover()
        except Exception as problem:  # noqa: BLE001
            self.failures.append(f"before any point: {problem}")

    def work(self, number: int) -> None:
        regular = self.player(f"player{number}")
        open_points: list[str] = []
        try:
            self.begin(regular)
            while True:
                point = self.points.get_nowait()
                try:
                    self.one_point(regular, point, open_points)
                except Exception as problem:  # noqa: BLE001 - told with all the others
                    self.failures.append(f"{point} (since the last recovery: {open_points}): {problem}")
                    open_points.clear()
                    regular.stage.close()
                    regular = self.player(f"after_{point}")
                    self.begin(regular)
        except queue.Empty:
            try:
                self.recover(regular, open_points)
            except Exception as problem:  # noqa: BLE001
                self.failures.append(f"{open_points}: {problem}")
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
        report(self.mode, self.action, self.results)
        assert not self.failures, "\n".join([f"{len(self.failures)} points failed", *self.failures])
        assert sorted(self.results) == sorted(points), "points that were never passed"
        assert all(result.endswith("recovered") for result in self.results.values()), self.results


# covers: D-27, P-01, P-03
@pytest.mark.parametrize("mode", MODES)
def test_dies_at_every_point_and_recovers(kafka, postgres, scratch, mode: str):
    Troupe(kafka, postgres, scratch, mode).run([x for x in point_names() if is_possible(x, mode)])


def test_every_point_is_possible_in_some_mode():
    for point in point_names():
        assert any(is_possible(point, mode) for mode in MODES), point


def test_every_step_that_can_fail_fails_and_loses_nothing(kafka, postgres, scratch):
    """A server that is away is tried again; a log that fails stops the pipeline, and a restart
    recovers."""
    mode = MODES[0]
    troupe = Troupe(kafka, postgres, scratch, mode, FAIL)
    troupe.run([x for x in point_names() if is_possible(x, mode) and can_fail(x)])
    ends = {result.partition(",")[0] for result in troupe.results.values()}
    assert ends == {"tried again", "stopped"}


# ---- one life, many orders ---------------------------------------------------------------------


def ordinary_points(mode: str) -> list[str]:
    """Those that a life passes by itself, and those of one that has a batch to rebuild."""
    return [point for point in point_names() if is_possible(point, mode)
            and scene_of(point, mode).play in (MIDDLE.play, with_a_sealed_batch)
            and not scene_of(point, mode).own_stage]


@pytest.fixture(params=MODES)
def player(request, stage: Stage) -> Player:
    player = Player(stage, request.param)
    player.send()
    player.recover()
    player.send()
    player.die("sink_commit_send_before:fail,recover_resend_before:kill")
    player.send()
    return player


def test_every_point_takes_its_time(player: Player):
    """A life that is slow at each of them, once."""
    points = ordinary_points(player.mode)
    orders = ",".join(f"{point}:delay=10" for point in points)
    begin = time.monotonic()
    assert player.live(orders, until_caught_up=True) == DONE, player.weir.tail()
    assert time.monotonic() - begin > 0.01 * len(points) * 0.8, "hardly any point was passed"
    player.check()
    report(player.mode, "delay", dict.fromkeys(points, "went on, nothing lost or doubled"))


def test_every_point_stands_still(player: Player):
    """A life that stops at one after another until it is told to go on."""
    weir, points, stops = player.weir, ordinary_points(player.mode), 0
    weir.env["WEIR_FAIL"] = ",".join(f"{point}:stop" for point in points)
    weir.start("--no-progress", until_caught_up=True)
    del weir.env["WEIR_FAIL"]
    while weir.is_running:
        if weir.is_stopped():
            stops += 1
            weir.cont()
        time.sleep(0.001)
    weir.expect(DONE)
    assert stops >= len(points) * 0.8, f"{stops} stops at {len(points)} points"
    player.check()
    report(player.mode, "stop", dict.fromkeys(points, "went on, nothing lost or doubled"))


# covers: P-03
def test_killed_five_times_in_a_row_in_recovery(player: Player):
    """Each life gets a step further, or not: what is to be recovered stays the same."""
    steps = ["start_mark_after", "start_claim_after", "start_compare_after", "recover_replay_before",
             "recover_read_plan_after"]
    for step in steps:
        player.die(f"{step}:kill")
        player.look()
    player.recover()
    plans = {event["message"] for event in player.weir.events("rebuild", all_lives=True)}
    assert len(plans) <= 2, plans
    report(player.mode, "kill five times", {", ".join(steps): "died, recovered"})


# ---- another one takes over --------------------------------------------------------------------


FROZEN_AT = ("plan_", "sink_", "done_boundary", "done_retire")


# covers: P-08, P-12
def test_frozen_at_every_step_of_a_batch_while_another_takes_over(stage: Stage):
    """The other one writes all there is; whoever was frozen goes on, writes nothing, ends with 76."""
    player = Player(stage, MODES[0])
    player.send()
    player.recover()
    points = [point for point in ordinary_points(player.mode) if point.startswith(FROZEN_AT)
              and (point.endswith("_after") or point == "sink_commit_send_before")]
    results = {}
    for number, point in enumerate(points):
        zombie = stage.weir(player.weir.pipeline, f"zombie{number}")
        zombie.program = program()
        zombie.env["WEIR_FAIL"] = f"{point}:stop"
        player.send()
        zombie.start("--no-progress")
        wait_until(zombie.is_stopped, 20, f"SIGSTOP at {point}")
        player.send()
        player.weir.finish(30, "--no-progress")
        player.look()
        zombie.cont()
        player.send()  # work, by which it finds out
        zombie.expect(FENCED, 30)
        player.look()
        results[point] = "fenced"
    player.recover()
    report(player.mode, "stop, another takes over", results)


# ---- orders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("orders, word", [
    ("sink_comit:kill", "sink_commit_send_before"), ("log_write_before", "POINT:kill"),
    ("log_write_before:explode", "POINT:kill"), ("log_write_before:kill:0", "POINT:kill"),
    ("log_write_before:kill,log_write_before:stop", "once"),
    ("stop_request_before:fail", "cannot fail"), ("log_write_before:delay=", "POINT:kill"),
])
def test_orders_that_make_no_sense_are_refused(stage: Stage, orders: str, word: str):
    weir = Player(stage, MODES[0]).weir
    weir.env["WEIR_FAIL"] = orders
    weir.start(until_caught_up=True)
    weir.expect(CONFIG)
    assert word in weir.text(), weir.text()
    assert not weir.data.exists()


def test_a_build_without_points_says_so(stage: Stage):
    done = weir_process.run("version", "--fail-points")
    assert done.returncode == 1 and "without fail points" in done.stderr
    done = weir_process.run("run", stage.order_file(), "--data", stage.dir / "data",
                            env={**stage.environment(), "WEIR_FAIL": "log_write_before:kill"})
    assert done.returncode == CONFIG and "WEIR_FAIL" in done.stderr
    assert program() != weir_process.binary()
