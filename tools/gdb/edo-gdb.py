# SPDX-License-Identifier: MIT
"""Edo in gdb: tasks, their stacks, workers, and who waits for whose lock.

    (gdb) source edo-gdb.py
    (gdb) edo tasks
    (gdb) edo bt 17

Works on a live process, which is not disturbed, and on core dumps. Needs libedo's debug information.
"""
import re

import gdb
from gdb.unwinder import Unwinder, register_unwinder


def u64(value):
    return gdb.Value(value & (1 << 64) - 1).cast(gdb.lookup_type("unsigned long"))


def pointer(value):
    return u64(value).cast(gdb.lookup_type("void").pointer())


def read_word(address):
    return int(u64(address).cast(gdb.lookup_type("unsigned long").pointer()).dereference())


# What edo__switch leaves at the saved stack pointer: registers and their offsets, then where the
# return address lies and how much there is of it all. See src/arch/switch_*.S.
LAYOUTS = {
    "x86-64": (
        {"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48},
        56, 64, "rip", "rsp"),
    "aarch64": (
        dict({"x%d" % (19 + i): 8 * i for i in range(10)}, x29=80),
        88, 176, "pc", "sp"),
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TaskUnwinder(Unwinder):
    """While it is given a parked context, its frames follow the innermost one of the thread."""

    def __init__(self):
        super().__init__("edo-task")
        self.sp = None

    def __call__(self, pending):
        if self.sp is None:
            return None
        registers, pc_at, size, pc_name, sp_name = layout()
        if int(pending.read_register(sp_name)) != self.top:
            return None
        info = pending.create_unwind_info(FrameId(pointer(self.sp), pointer(self.pc)))
        for name, offset in registers.items():
            info.add_saved_register(name, u64(read_word(self.sp + offset)))
        info.add_saved_register(pc_name, pointer(read_word(self.sp + pc_at)))
        info.add_saved_register(sp_name, pointer(self.sp + size))
        return info

    def backtrace(self, sp):
        frame = gdb.newest_frame()
        self.top = int(frame.read_register(layout()[4]))
        self.pc = frame.pc()
        self.sp = sp
        gdb.invalidate_cached_frames()
        try:
            text = gdb.execute("backtrace", to_string=True)
        finally:
            self.sp = None
            gdb.invalidate_cached_frames()
        return text


def layout():
    name = gdb.selected_inferior().architecture().name()
    if name.startswith("i386:x86-64"):
        return LAYOUTS["x86-64"]
    if name.startswith("aarch64"):
        return LAYOUTS["aarch64"]
    raise gdb.GdbError("edo: parked tasks cannot be walked on " + name)


UNWINDER = TaskUnwinder()
register_unwinder(None, UNWINDER, replace=True)


def enum_name(value, of, prefix):
    """`EDO__WHY_MUTEX` of an enum as `mutex`."""
    for field in gdb.lookup_type(of).strip_typedefs().fields():
        if field.enumval == int(value):
            return field.name[len(prefix):].lower().replace("_", " ")
    return str(int(value))


def constant(name):
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    return int(symbol.value()) if symbol is not None else int(gdb.parse_and_eval(name))


def runtimes():
    try:
        rt = gdb.parse_and_eval("edo__runtimes")
        gdb.lookup_type("struct edo__arena")
    except gdb.error:
        raise gdb.GdbError("edo: no runtime here, or libedo has no debug information")
    while int(rt) != 0:
        yield rt
        rt = rt["listed"]


class Task:
    def __init__(self, value, rt):
        self.value = value
        self.rt = rt
        self.address = int(value.address)
        self.id = int(value["id"])
        self.name = value["name"].string(errors="replace").split("\0")[0]

    def state(self):
        state = int(self.value["state"])
        if state == constant("EDO__TASK_NEW"):
            return "new"
        if state == constant("EDO__TASK_ENDED"):
            return "ended"
        word = int(self.value["word"])
        if word != 0 and word < constant("EDO__WAKE_CANCEL"):
            return "waiting"
        return "running" if self.worker() is not None else "ready"

    def parked(self):
        state = int(self.value["word"]) & constant("EDO__WORD_STATE")
        cancel = int(self.value["word"]) >= constant("EDO__WAKE_CANCEL")
        return not cancel and state in (constant("EDO__WORD_PARKED"), constant("EDO__WORD_FROZEN"))

    def worker(self):
        for i in range(int(self.rt["n_workers"])):
            if int(self.rt["workers"][i]["current"]) == self.address:
                return self.rt["workers"][i]
        return None

    def why(self):
        return enum_name(self.value["why"], "edo__why", "EDO__WHY_")

    def holder(self):
        """The address of the task that holds the mutex this one waits for."""
        if not self.parked() or self.why() != "mutex":
            return 0
        mutex = self.value["why_obj"].cast(gdb.lookup_type("edo_mutex").pointer())
        return int(mutex["edo__holder"])

    def label(self):
        return 'task %d "%s"' % (self.id, self.name) if self.name else "task %d" % self.id

    def line(self):
        state = self.state()
        text = "%s: %s" % (self.label(), state)
        if state == "waiting":
            text += " for " + self.why()
            if int(self.value["why_obj"]) != 0:
                text += " 0x%x" % int(self.value["why_obj"])
        if int(self.value["parent"]) != 0:
            text += ", child of %d" % int(self.value["parent"])
        if int(self.value["site"]) != 0:
            text += ", spawned at " + self.value["site"].string()
        return text

    def backtrace(self):
        """Lines numbered from 0; or a sentence."""
        if int(self.value["stack"]) == 0:
            return ["    it has no stack"]
        worker = self.worker() if self.state() == "running" else None
        if worker is not None:
            return thread_backtrace(int(worker["tid"]))
        try:
            gdb.parse_and_eval("&edo__switch_first")
        except gdb.error:
            return ["    stacks switched by ucontext are not walked"]
        text = UNWINDER.backtrace(int(self.value["stack"].dereference()["ctx"]["sp"]))
        return renumber(text)


def renumber(text):
    """Without frame 0, which is the thread's."""
    lines, n = [], -1
    for line in text.splitlines():
        if re.match(r"#\d+ ", line):
            n += 1
            line = re.sub(r"^#\d+ +", "#%-2d " % (n - 1), line)
        if n > 0 and not line.startswith("Backtrace stopped"):
            lines.append("    " + line)
    return lines


def thread_backtrace(tid):
    before = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        if tid in (thread.ptid[1], thread.ptid[2]):
            thread.switch()
            try:
                text = gdb.execute("backtrace", to_string=True)
            finally:
                before.switch()
            return ["    " + line for line in text.splitlines()]
    return ["    its thread is gone"]


def tasks():
    for rt in runtimes():
        arena = rt["arena"].cast(gdb.lookup_type("struct edo__arena").pointer())
        for i in range(int(arena["used"])):
            value = arena["slots"][i]
            if int(value["state"]) != constant("EDO__TASK_FREE"):
                yield Task(value, rt)


class Edo(gdb.Command):
    """Tasks of the runtimes in this process: edo tasks, edo bt, edo workers, edo deadlocks."""

    def __init__(self):
        super().__init__("edo", gdb.COMMAND_STACK, prefix=True)


class EdoTasks(gdb.Command):
    """edo tasks - every task: id, name, state, what it waits for, where it was spawned."""

    def __init__(self):
        super().__init__("edo tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for task in tasks():
            print(task.line())


class EdoBt(gdb.Command):
    """edo bt ID... | NAME... | all - the stacks of tasks."""

    def __init__(self):
        super().__init__("edo bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = gdb.string_to_argv(argument)
        if not wanted:
            raise gdb.GdbError("edo bt ID... | NAME... | all")
        found = False
        for task in tasks():
            if wanted == ["all"] or str(task.id) in wanted or task.name in wanted:
                found = True
                print(task.line())
                print("\n".join(task.backtrace()))
        if not found:
            raise gdb.GdbError("edo: no such task")


class EdoWorkers(gdb.Command):
    """edo workers - each worker: its thread, what it runs, how much waits in its queues."""

    def __init__(self):
        super().__init__("edo workers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for rt in runtimes():
            print('runtime "%s": %d workers, %d asleep, %d tasks in the inject queue' % (
                rt["name"].string(), int(rt["n_workers"]), int(rt["idle"]["sleeping"]),
                int(rt["inject"]["len"])))
            for i in range(int(rt["n_workers"])):
                worker = rt["workers"][i]
                task = "nothing"
                if int(worker["current"]) != 0:
                    task = Task(worker["current"].dereference(), rt).label()
                print("  worker %d: thread %d, runs %s, %d runs so far, %d in the mailbox" % (
                    i, int(worker["tid"]), task, int(worker["tick"]), int(worker["mail_len"])))


class EdoDeadlocks(gdb.Command):
    """edo deadlocks - tasks that wait for each other's mutexes in a circle."""

    def __init__(self):
        super().__init__("edo deadlocks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        known = {task.address: task for task in tasks()}
        told = set()
        for start in known.values():
            path, at = [], start
            while at is not None and at not in path and at.address not in told:
                path.append(at)
                at = known.get(at.holder())
            if at in path:
                circle = path[path.index(at):]
                print("deadlock of %d tasks:" % len(circle))
                for task in circle:
                    print("    %s waits for mutex 0x%x held by" % (
                        task.label(), int(task.value["why_obj"])))
                print("    " + circle[0].label())
            told.update(task.address for task in path)
        if not told:
            print("no tasks")


Edo()
EdoTasks()
EdoBt()
EdoWorkers()
EdoDeadlocks()
