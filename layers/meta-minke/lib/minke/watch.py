#!/usr/bin/env python3
"""Builds targets with bitbake and tells what happens, one JSON object a line on standard output.

Usage: watch.py [--plan] <targets of recipes, or recipe:task>...
With --plan nothing is built: all recipes are read, and what a build would be made of is told.
Environment: BITBAKE_DIR (the folder with bin/ and lib/), BUILDDIR, and what bitbake itself wants.

Standard input is the leash: when it ends, the build is stopped, running tasks included. Exit status: 0 built, 1 failed,
2 the server is gone, 130 stopped. Everything that bitbake itself prints goes to standard error.
"""

import json
import logging
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ["BITBAKE_DIR"], "lib"))

import bb.build
import bb.command
import bb.event
import bb.runqueue
import bb.tinfoil

EVENTS = [
    "bb.build.TaskFailed",
    "bb.build.TaskFailedSilent",
    "bb.build.TaskProgress",
    "bb.build.TaskStarted",
    "bb.build.TaskSucceeded",
    "bb.command.CommandCompleted",
    "bb.command.CommandExit",
    "bb.command.CommandFailed",
    "bb.event.DepTreeGenerated",
    "bb.event.DiskFull",
    "bb.event.NoProvider",
    "bb.event.ParseCompleted",
    "bb.event.ParseProgress",
    "bb.event.ParseStarted",
    "bb.runqueue.runQueueTaskCompleted",
    "bb.runqueue.runQueueTaskFailed",
    "bb.runqueue.runQueueTaskSkipped",
    "bb.runqueue.runQueueTaskStarted",
    "bb.runqueue.sceneQueueTaskCompleted",
    "bb.runqueue.sceneQueueTaskFailed",
    "bb.runqueue.sceneQueueTaskStarted",
    "logging.LogRecord",
]

STOP_SECONDS = 20


def private_output():
    """Standard output for our lines alone: what libraries print must not get between them."""
    ours = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    return ours


class Watch:
    def __init__(self, tinfoil, out):
        self.tinfoil = tinfoil
        self.out = out
        self.failures = 0
        self.kernel = None
        self.leash_gone = threading.Event()
        threading.Thread(target=self.hold_leash, daemon=True).start()

    def hold_leash(self):
        while os.read(0, 4096):
            pass
        self.leash_gone.set()

    def say(self, event, **fields):
        self.out.write(json.dumps({"event": event, **fields}) + "\n")

    def run(self, command, targets):
        self.tinfoil.set_event_mask(EVENTS)
        server = server_process()
        self.tinfoil.run_command(command, targets, "build", handle_events=False)
        stopping = None
        while True:
            event = self.tinfoil.wait_event(0.25)
            if event is not None:
                status = self.tell(event)
                if status is not None:
                    return 130 if stopping else status
            elif server is not None and not alive(server):
                self.say("server-gone")
                return 2
            if self.leash_gone.is_set() and stopping is None:
                stopping = time.monotonic()
                self.tinfoil.run_command("stateForceShutdown", handle_events=False)
            if stopping is not None and time.monotonic() - stopping > STOP_SECONDS:
                return 130

    def tell(self, event):
        """Says what an event means; the exit status when it is the last one."""
        if isinstance(event, logging.LogRecord):
            if event.levelno >= logging.WARNING:
                self.say("log", level=event.levelname.lower(), text=message(event))
            # How much of shared state was found where is said in a plain line alone, whose level has no name here.
            elif event.getMessage().startswith("Sstate summary:"):
                self.say("log", level="plain", text=event.getMessage())
            return None
        if isinstance(event, bb.event.ParseStarted):
            self.say("parse", done=0, total=event.total)
        elif isinstance(event, bb.event.ParseProgress):
            self.say("parse", done=event.current, total=event.total)
        elif isinstance(event, bb.event.ParseCompleted):
            self.say("parsed", recipes=event.total, cached=event.cached, masked=event.masked, skipped=event.skipped, errors=event.errors)
        elif isinstance(event, bb.event.DepTreeGenerated):
            self.tell_plan(event._depgraph)
        elif isinstance(event, (bb.runqueue.runQueueEvent,)):
            self.tell_queue(event)
        elif isinstance(event, bb.build.TaskStarted):
            self.say("task-start", pid=event.pid, recipe=event.pn, task=event.taskname, log=event.logfile)
        elif isinstance(event, bb.build.TaskSucceeded):
            self.say("task-end", pid=event.pid, recipe=event.pn, task=event.taskname, ok=True)
        elif isinstance(event, bb.build.TaskFailed):
            self.say("task-end", pid=event.pid, recipe=event.pn, task=event.taskname, ok=False, log=event.logfile)
        elif isinstance(event, bb.event.NoProvider):
            self.failures += 1
            self.say("no-provider", text=str(event))
        elif isinstance(event, bb.event.DiskFull):
            self.say("disk-full", text=str(getattr(event, "_free", "")))
        elif isinstance(event, bb.command.CommandCompleted):
            if self.kernel is not None:
                self.tell_kernel()
            # A build whose tasks failed completes as well.
            self.say("end", ok=self.failures == 0)
            return 1 if self.failures else 0
        elif isinstance(event, (bb.command.CommandFailed, bb.command.CommandExit)):
            self.say("end", ok=False, text=str(getattr(event, "error", "")))
            return 1
        return None

    def tell_waiting(self):
        """The configuration could not be read: what the server said of it waits in its queue."""
        while True:
            event = self.tinfoil.server_connection.events.waitEvent(0.5)
            if event is None:
                self.say("end", ok=False)
                return 1
            self.tell(event)

    def tell_plan(self, graph):
        """Versions without the epoch, as in `6.6.63+git-r0`."""
        version = lambda text: text.split(":", 1)[-1]
        self.say(
            "plan",
            recipes={name: version(recipe["version"]) for name, recipe in graph["pn"].items()},
            tasks=len(graph["tdepends"]),
            providers={name: recipe for name, (recipe, _) in graph["providermap"].items() if name.startswith("virtual/")},
        )

        recipe = graph["pn"].get(graph["providermap"].get("virtual/kernel", ("",))[0])
        self.kernel = recipe and recipe["filename"]

    def tell_kernel(self):
        """The configuration fragments that the kernel's recipe has among its sources, its append files included."""
        kernel = self.tinfoil.parse_recipe_file(self.kernel)
        sources = [source.split(";")[0] for source in kernel.getVar("SRC_URI").split()]
        self.say("kernel", fragments=[os.path.basename(source) for source in sources if source.startswith("file:") and source.endswith(".cfg")])

    def tell_queue(self, event):
        stats = event.stats
        if isinstance(event, bb.runqueue.runQueueTaskFailed):
            self.failures += 1
            self.say("failed", id=event.taskstring, status=event.exitcode)
        self.say(
            "tasks",
            total=stats.total,
            done=stats.completed,
            failed=stats.failed,
            shared_total=stats.setscene_total,
            shared=stats.setscene_covered,
            not_shared=stats.setscene_notcovered,
        )


def message(record):
    """A log record's text. Why something could not be read is in the exception alone, which the server sends formatted; its end is the reason."""
    formatted = getattr(record, "bb_exc_formatted", None)
    return record.getMessage() if not formatted else "%s: %s" % (record.getMessage(), formatted[-1].strip())


def server_process():
    """Process id of the server, from its lock file."""
    try:
        with open(os.path.join(os.environ["BUILDDIR"], "bitbake.lock")) as lock:
            return int(lock.readline().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def alive(pid):
    """A dead server is a zombie here when nobody above has waited for it."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(") ", 1)[1][0] not in "ZX"
    except OSError:
        return False


def main(words):
    plan = words[:1] == ["--plan"]
    out = private_output()
    tinfoil = bb.tinfoil.Tinfoil(output=sys.stderr, tracking=False, setup_logging=False)
    watch = Watch(tinfoil, out)
    try:
        tinfoil.prepare(config_only=True)
        if plan:
            return watch.run("generateDepTreeEvent", words[1:])
        return watch.run("buildTargets", words)
    except bb.BBHandledException:
        return watch.tell_waiting()
    finally:
        try:
            tinfoil.shutdown()
        except bb.BBHandledException:
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
