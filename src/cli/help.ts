// SPDX-License-Identifier: GPL-2.0-only
/* What the command says about itself. */

const GENERAL = `\
vmmu: what Linux does with every page, from a few lines of memory-management history

usage: vmmu COMMAND ...

  run FILE...             run litmus programs, on one kernel or several beside each other
  show FILE               the machine after a statement; save it as a snapshot
  cat FILE PATH           a file of the machine (/proc/vmstat, A/memory.stat ...) after a program
  hash FILE|SNAPSHOT      the name of a state: equal states, equal names
  diff FILE               where two kernels part, and in what they differ at the end
  diff SNAPSHOT SNAPSHOT  the fields in which two states differ
  bisect FILE             the smallest set of commits that turns the outcome of a program
  matrix FILE...          programs by kernels, and by patches of one's own
  history [WHAT]          the commits that are modelled
  kernels                 the kernels that are modelled, and how far each can be trusted
  oracle COMMAND          real kernels under QEMU, as judges
  fuzz                    random programs, against a real kernel or another one of ours
  help [COMMAND]          this, or more about a command
  --version

The language of litmus programs is in docs/litmus.md.

  vmmu run test/litmus/foreign-half.litmus --kernel v5.10.223 --kernel v5.10.223-013339df116c
  vmmu help run

Exit status: 0 all held, 1 an expectation failed, 4 a tool or a real kernel that is needed is not
there, 64 wrong usage or a wrong program, 70 a defect of vmmu, 74 the output could not be written.
`;

const KERNEL = `\
  --kernel KERNEL   v2.6.24 ... v7.2, v5.10.1 ... v5.10.223 (vmmu kernels lists them; default
                    v5.10.223); +ID adds a commit, -ID takes one out: v5.10.223-013339df116c`;
const JUDGE = `\
  --on KERNEL       a real kernel: 5.10, 5.10-prepatch, 6.1, 6.12, 7.2; or an emulated one: v5.10.4
  --bzimage PATH    in place of --on: an image of your own; --modules DIR its modules
  --append WORDS    more words for the command line of the real kernel`;
const AT = `\
  --at LINE         after the statement on that line (or the last one before it); default: the end`;

const COMMANDS: Readonly<Record<string, string>> = {
	run: `\
usage: vmmu run FILE... [OPTION]...

Run litmus programs; - is standard input. What show, stat, trace, notifiers, cat and expect ask
for is shown, for each kernel in a column of its own. A ! marks what differs from the first kernel.

${KERNEL}
                    Can be given several times.
  --trace           print the trace and nothing else: the lines of /sys/kernel/tracing/trace
  --events LIST     trace events that are on, by system or name, default vmscan
  --json            print JSON (schema 1); with --trace the trace is in it
  --ktap            print KTAP version 1
  --resume SNAP     go on from a snapshot of the program that vmmu show --save has written

  vmmu run test/litmus/window.litmus
  vmmu run test/litmus/foreign-half.litmus --kernel v5.10.223 --kernel v5.10.223-013339df116c
  vmmu run test/litmus/foreign-half.litmus --trace --events vmscan,pagemap
  vmmu run test/litmus/*.litmus --ktap
`,
	show: `\
usage: vmmu show FILE [OPTION]...

Run a program up to a statement and show the machine: tasks, their areas and pages, cgroups, LRU
lists, swap.

${AT}
${KERNEL}
  --save SNAP       write the machine to a file, for vmmu run --resume, vmmu hash and vmmu diff
  --json            print JSON (schema 1)

  vmmu show test/litmus/foreign-half.litmus --at 32
  vmmu show test/litmus/foreign-half.litmus --at 32 --save before.snap
  vmmu run test/litmus/foreign-half.litmus --resume before.snap
`,
	cat: `\
usage: vmmu cat FILE PATH [OPTION]...

Run a program and print a file of the machine: CGROUP/memory.stat, vm.swappiness, or a path such as
/proc/vmstat or /proc/TASK/smaps (a task's name or its PID). Files of words, as
/proc/kpageflags, are printed as they are, for page-types -F and its like.

${AT}
${KERNEL}

  vmmu cat test/litmus/foreign-half.litmus A/memory.stat --at 32
  vmmu cat test/litmus/foreign-half.litmus /proc/vmstat
  vmmu cat test/litmus/foreign-half.litmus /proc/a/smaps
`,
	hash: `\
usage: vmmu hash FILE|SNAPSHOT [OPTION]...

Print the hash of a machine's state: of a snapshot, or of a program at its end or at a statement.

${AT}
${KERNEL}

  vmmu hash test/litmus/window.litmus --at 13
`,
	diff: `\
usage: vmmu diff FILE --kernel A --kernel B [OPTION]...
       vmmu diff SNAPSHOT SNAPSHOT [--limit N]

Run a program on two kernels and print the first trace event in which they differ: where in the
ports it was, and which of the commits that they do not share were asked for since the event before.
Then what differs at the end: pages, cgroups, counters.

Of two snapshots: the fields in which they differ, one a line.

Exit status 1 if anything differs.

  --events LIST     trace events to compare, by system or name, default vmscan,pagemap
  --limit N         at most so many lines, default 200
  --json            print JSON (schema 1)

  vmmu diff test/litmus/window.litmus --kernel v5.10 --kernel v5.10.4

  vmmu show test/litmus/window.litmus --at 12 --save a
  vmmu show test/litmus/window.litmus --at 13 --save b
  vmmu diff a b
`,
	oracle: `\
usage: vmmu oracle COMMAND ...

Real kernels under QEMU's own emulation (no /dev/kvm is needed), as judges of what vmmu says.

  fetch [KERNEL]...       get Debian's kernels, through this machine's own package source
  build-prepatch          build the kernel before 013339df116c
  doctor                  what is missing, and the command that installs it
  run FILE...             run litmus programs on a real kernel
  diff FILE...            hold the emulator against a real kernel
  record FILE...          record what programs show on a real kernel

They are kept in VMMU_CACHE, or vmmu/ in XDG_CACHE_HOME, or ~/.cache/vmmu. docs/oracle.md says more.

  vmmu oracle doctor
  vmmu oracle fetch 5.10
  vmmu oracle diff test/litmus/foreign-half.litmus --on 5.10
  vmmu help oracle diff
`,
	'oracle run': `\
usage: vmmu oracle run FILE... --on KERNEL [OPTION]...

Run litmus programs on a real kernel, and show what vmmu run shows of them. A program that a real
kernel cannot run is refused before anything runs.

${JUDGE}
  --trace           print the trace lines and nothing else, from the name of the event on
  --json            print JSON (schema 1), as vmmu run does

  vmmu oracle run test/litmus/foreign-half.litmus --on 5.10
`,
	'oracle diff': `\
usage: vmmu oracle diff FILE... --on KERNEL [OPTION]...

Run litmus programs on a real kernel and on the emulator, and compare them statement by statement:
each is equal, different (with the first field that differs, and the trace around it) or not
comparable. docs/oracle.md has what is compared. Exit status 0 only if all that can be compared are
equal.

${JUDGE}
  --kernel KERNEL   the emulated kernel; default: the one that is the same
  --json            print JSON (schema 1)

  vmmu oracle diff test/litmus/*.litmus --on 5.10
`,
	'oracle record': `\
usage: vmmu oracle record FILE... --on KERNEL [OPTION]...

Record what litmus programs show on a real kernel, for npm test to hold the emulator against. A
recording is written whole or not at all.

${JUDGE}
  --kernel KERNEL   the emulated kernel; default: the one that is the same
  --dir DIR         where to, default test/oracle/recordings

  vmmu oracle record test/litmus/foreign-half.litmus --on 5.10
`,
	fuzz: `\
usage: vmmu fuzz [OPTION]...

Run random litmus programs: against a real kernel, or of several emulated kernels the others against
the first. Or, on one, by themselves: the invariants after every statement, that no byte is lost, by
reading all back too, and that a second run ends in the same state. A program that differs is shrunk
and written to DIR/fuzz-SEED.litmus, with what each showed as a comment. The same seed gives the
same programs. Exit status 1 if any differs.

  --seed S          of the first program, default 1; the next has S + 1
  --count N         how many programs, default 100
  --statements N    of each, without those that set it up and that look; default 60; 5..200: from
                    5 to 200
  --vms             with virtual machines: npt and shadow on a real kernel, without one all kinds,
                    mirrors, pins and other devices, and hooks
  --files           with files on a disk on a real kernel too, where its flusher can come in the
                    middle of a reclaim, or not; without one there are files anyway
  --limit N         shrink at most so many, default 10; 0: none, but write them
  --dir DIR         where to, default .
  --kernel KERNEL   an emulated kernel; can be given several times
${JUDGE}
  --json            print JSON (schema 1)

  vmmu fuzz --seed 1 --count 500 --on 5.10
  vmmu fuzz --kernel v5.10 --kernel v5.10.4 --limit 1
  vmmu fuzz --count 10000 --statements 5..200 --vms
`,
	'oracle fetch': `\
usage: vmmu oracle fetch [5.10|6.1|6.12|7.2]... [--json]

Get Debian's kernels into the cache, all of them or those named, and unpack them. They come through
the package source that this machine's apt uses, in an apt state of their own: the machine's lists
stay as they are. About 20 to 40 MB each.

  vmmu oracle fetch 5.10
`,
	'oracle build-prepatch': `\
usage: vmmu oracle build-prepatch [--json]

Build 5.10-prepatch into the cache: the packaged 5.10 with 013339df116c taken out by a kernel
argument. Takes 3.5 GB of disk while it runs, and about 10 minutes on two CPUs; one that is cut off
goes on the next time.
`,
	'oracle doctor': `\
usage: vmmu oracle doctor [--json]

Say which tools are there and which are missing, the command that installs them, and which kernels
are in the cache. Exit status 1 if a tool is missing that fetching or running needs.
`,
	bisect: `\
usage: vmmu bisect FILE --good KERNEL --bad KERNEL [--json]

Find the smallest set of commits that turns what a program shows on one kernel into what it shows on
the other: one commit, or several that do it only together. What guarded statements show does not
count. Exit status 1 if both kernels show the same.

  vmmu bisect test/litmus/foreign-half.litmus --good v5.11 --bad v5.9
`,
	matrix: `\
usage: vmmu matrix FILE... [OPTION]...

Run programs on kernels, and on kernels with a patch: ok, or what failed, and with a ! what shows
something else than in the first column.

${KERNEL}
                    Can be given several times.
  --patch DIFF      a unified diff against src/mm, src/kvm and src/arch, as git diff writes it. Can
                    be given several times: each patch has a column for each kernel.
  --timeout SECONDS until a patched kernel is taken to run for ever, default 10
  --json            print JSON (schema 1)
  --ktap            print KTAP version 1
  --junit           print JUnit XML

  vmmu matrix test/litmus/window.litmus --kernel v5.10 --kernel v5.10.4
  vmmu matrix test/litmus/window.litmus --kernel v5.10 \\
      --patch docs/examples/2020-ttu-ignore-access/v1.diff
`,
	history: `\
usage: vmmu history [FILE|FUNCTION|KERNEL..KERNEL] [--json]
       vmmu history show ID [--json]

List the commits that are modelled: all, those that changed a file or a function of the kernel, or
those in which two kernels differ. Of one, say what it changes, where, and which programs show it.

  vmmu history mm/rmap.c
  vmmu history try_to_unmap_one
  vmmu history v5.9..v5.11
  vmmu history show 013339df116c
`,
	kernels: `\
usage: vmmu kernels [--json]

Print the kernels that are modelled, and how far each can be trusted: recorded (programs of
test/litmus give what a real one printed), derived (from its sources), partial (derived, and it
differs from v5.10 in more than is modelled). vmmu history lists the commits that +ID and -ID name.
`,
};

/** The help on a command, or in general; undefined for no command. */
export function helpText(command?: string): string | undefined {
	return command === undefined ? GENERAL
		: Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
}
