"""gdb commands for programs that use weir: the tasks of a runtime, and where each one waits.

    (gdb) source weir-gdb.py
    (gdb) weir tasks            all tasks of the selected thread's runtime
    (gdb) weir bt 7             the backtrace of task 7
    (gdb) weir bt 7 full        the same with local variables; what follows goes to gdb's `bt`
    (gdb) weir bt               of all tasks that have a stack

It reads memory and writes none, nor a register, so the program goes on unharmed and core files work
as well. It needs weir's debug information (cmake's default build type has it).
"""

import collections
import re

import gdb
import gdb.unwinder

# What lib/task/ctx_*.S leaves at ctx.sp: register -> offset in bytes, and the size of it all.
Layout = collections.namedtuple("Layout", "sp pc saved size")
LAYOUTS = {
    "i386:x86-64": Layout(
        sp="rsp",
        pc="rip",
        saved={"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48, "rip": 56},
        size=64,
    ),
    "aarch64": Layout(
        sp="sp",
        pc="pc",
        saved={"x29": 0, "x30": 8, "pc": 8, **{f"x{19 + i}": 16 + 8 * i for i in range(10)}},
        size=160,
    ),
}

# As enum weir__task_state; what has started is told apart by its wait.
NEW, STARTED = range(2)


def runtime():
    """The struct weir__rt of the selected thread."""
    if gdb.selected_thread() is None:
        raise gdb.GdbError("no program runs here, and no core file is open")
    symbol = gdb.lookup_static_symbol("this_rt")
    if symbol is None:
        raise gdb.GdbError("no debug information of weir: build it with -g, link it unstripped")
    try:
        rt = symbol.value()
        if int(rt) != 0:
            return rt.dereference()
    except gdb.error as error:
        raise gdb.GdbError(f"the thread's runtime cannot be read: {error}") from None
    raise gdb.GdbError("no weir_run in this thread; try: thread apply all -s weir tasks")


def entries(head, type_name, member):
    """The structs whose `member` is linked into a list of lib/base/list.h."""
    entry = gdb.lookup_type(type_name)
    offset = next(field.bitpos // 8 for field in entry.fields() if field.name == member)
    node = head["next"]
    while node != head.address:
        yield gdb.Value(int(node) - offset).cast(entry.pointer()).dereference()
        node = node["next"]


FrameId = collections.namedtuple("FrameId", "sp pc")


class Switch(gdb.unwinder.Unwinder):
    """Says that the thread's innermost frame was called by a parked task, as it would be just after
    a switch to it: gdb then unwinds the task's stack, and no register has changed."""

    def __init__(self):
        super().__init__("weir")
        self.enabled = False

    def __call__(self, pending):
        layout = LAYOUTS[pending.architecture().name()]
        sp = pending.read_register(layout.sp)
        pc = pending.read_register(layout.pc)
        if (int(sp), int(pc)) != self.innermost:
            return None
        # The frame's own id must lie below the task's frames: gdb takes others for a corrupt stack.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.task_sp).cast(sp.type), pc))
        word = gdb.lookup_type("unsigned long").pointer()
        for register, offset in layout.saved.items():
            saved = gdb.Value(self.task_sp + offset).cast(word).dereference()
            kind = pending.read_register(register).type
            info.add_saved_register(register, saved.cast(kind))
        top = gdb.Value(self.task_sp + layout.size).cast(sp.type)
        info.add_saved_register(layout.sp, top)
        return info

    def to(self, task_sp):
        frame = gdb.newest_frame()
        name = frame.architecture().name()
        if name not in LAYOUTS:
            raise gdb.GdbError(f"the stacks of {name} are not known here")
        layout = LAYOUTS[name]
        registers = (frame.read_register(register) for register in (layout.sp, layout.pc))
        self.innermost = tuple(int(value) for value in registers)
        self.task_sp = task_sp
        self.enabled = True
        gdb.invalidate_cached_frames()

    def back(self):
        self.enabled = False
        gdb.invalidate_cached_frames()


SWITCH = Switch()
gdb.unwinder.register_unwinder(None, SWITCH, replace=True)


class Task:
    """A struct weir_task."""

    def __init__(self, rt, value):
        self.value = value
        self.id = int(value["id"])
        self.name = value["name"].string(errors="replace")
        self.group = int(value["group"])
        self.state = self._state(rt)
        self.on_thread = self.state == "running"
        self.has_stack = self.state not in ("not started", "ended")
        self.stack_is_known = any(field.name == "sp" for field in value["ctx"].type.fields())

    def _state(self, rt):
        if self.value.address == rt["current"]:
            return "running"
        started = int(self.value["state"])
        if started != STARTED:
            return "not started" if started == NEW else "ended"
        wait = self.value["wait"]
        return "waiting" if int(wait) != 0 and not wait["fired"] else "ready"

    def on_its_stack(self, action):
        """What action() returns, called while gdb's frames are the task's. Behind the first one, if
        the task is not the one that runs."""
        if self.on_thread:
            return action()
        if not self.stack_is_known:
            raise gdb.GdbError("built with WEIR_UCONTEXT: its tasks' stacks are not known here")
        level = gdb.selected_frame().level()
        SWITCH.to(int(self.value["ctx"]["sp"]))
        try:
            return action()
        finally:
            SWITCH.back()
            gdb.execute(f"frame {level}", to_string=True)

    def frames(self):
        """(function, file:line or address) of each frame, innermost first."""
        frame = gdb.newest_frame() if self.on_thread else gdb.newest_frame().older()
        while frame is not None:
            sal = frame.find_sal()
            place = f"{sal.symtab.filename}:{sal.line}" if sal.symtab else f"{frame.pc():#x}"
            yield frame.name() or "??", place
            frame = frame.older()

    def waits_in(self):
        """The innermost public function of weir, and whoever called the library."""
        if not self.has_stack or not (self.on_thread or self.stack_is_known):
            return ""
        frames = self.on_its_stack(lambda: list(self.frames()))
        call = next((name for name, _ in frames if PUBLIC.match(name)), None)
        user = next((frame for frame in frames if not LIBRARY.search(frame[1])), None)
        words = [call] if call and self.state != "running" else []
        words += ["{}() at {}".format(user[0], user[1].rpartition("/")[2])] if user else []
        return " < ".join(words)

    def backtrace(self, options):
        """gdb's own, numbered from 0 and without the thread's innermost frame."""
        text = self.on_its_stack(lambda: gdb.execute(f"bt {options}", to_string=True))
        if self.on_thread:
            return text
        inner = re.search(r"^#1 ", text, re.M)
        return renumber(text[inner.start() :]) if inner else "(no frames)\n"


PUBLIC = re.compile(r"weir_[a-z0-9]")
LIBRARY = re.compile(r"(^|/)lib/(base|task|loop|sync|policy|admission|http|json|provider|client)/")


def renumber(text):
    return re.sub(r"^#(\d+) *", lambda m: f"#{int(m[1]) - 1:<3}", text, flags=re.M)


def tasks():
    rt = runtime()
    for group in entries(rt["groups"], "struct weir_group", "in_rt"):
        for task in entries(group["tasks"], "struct weir_task", "sibling"):
            yield Task(rt, task)


class Weir(gdb.Command):
    """Tasks of weir: `weir tasks` lists them, `weir bt [ID [OPTION...]]` shows where they are."""

    def __init__(self):
        super().__init__("weir", gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """All tasks of the selected thread's runtime: id, name, state, group, and where each waits.
    The place is the call of weir that it waits in, and the user's line that called."""

    def __init__(self):
        super().__init__("weir tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        listed = sorted(tasks(), key=lambda task: task.id)
        print(f"{'id':>6}  {'state':<11}  {'group':<14}  {'name':<20}  where")
        for task in listed:
            row = f"{task.id:>6}  {task.state:<11}  {task.group:<#14x}  {task.name:<20}  "
            print((row + task.waits_in()).rstrip())


class Backtrace(gdb.Command):
    """weir bt [ID [OPTION...]]: the backtrace of a task, or of all that have a stack.
    Options are those of gdb's `bt`, such as `full` or a number of frames."""

    def __init__(self):
        super().__init__("weir bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted, _, options = argument.strip().partition(" ")
        if wanted and not wanted.isdigit():
            raise gdb.GdbError("usage: weir bt [ID [OPTION...]]")
        found = [task for task in tasks() if not wanted or task.id == int(wanted)]
        if not found:
            raise gdb.GdbError(f"no task {wanted}; `weir tasks` lists them")
        for task in sorted(found, key=lambda task: task.id):
            if not wanted and not task.has_stack:
                continue
            print(f"Task {task.id} '{task.name}', {task.state}:")
            print(task.backtrace(options) if task.has_stack else "it has no stack", flush=True)


Weir()
Tasks()
Backtrace()
