// SPDX-License-Identifier: GPL-2.0-only
/* What the command says about itself. */

const GENERAL = `\
vmmu: what Linux does with every page, from a few lines of memory-management history

usage: vmmu COMMAND ...

  run FILE...             run litmus programs, on one kernel or several beside each other
  show FILE               the machine after a statement; save it as a snapshot
  cat FILE PATH           a file of the machine (/proc/vmstat, A/memory.stat ...) after a program
  hash FILE|SNAPSHOT      the name of a state: equal states, equal names
  diff SNAPSHOT SNAPSHOT  the fields in which two states differ
  kernels                 the kernels and commits that are modelled
  help [COMMAND]          this, or more about a command
  --version

The language of litmus programs is in docs/litmus.md.

  vmmu run test/litmus/foreign-half.litmus --kernel v5.10.223 --kernel v5.10.223-013339df116c
  vmmu help run

Exit status: 0 all held, 1 an expectation failed, 64 wrong usage or a wrong program,
70 a defect of vmmu, 74 the output could not be written.
`;

const KERNEL = `\
  --kernel KERNEL   v5.10, v5.10.1 ... v5.10.223 (default v5.10.223); +ID adds a commit, -ID takes
                    one out: v5.10.223-013339df116c (vmmu kernels lists them)`;
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
usage: vmmu diff SNAPSHOT SNAPSHOT [--limit N]

Print the fields in which two snapshots differ, one a line; exit status 1 if there are any.

  --limit N         at most so many lines, default 200

  vmmu show test/litmus/window.litmus --at 12 --save a
  vmmu show test/litmus/window.litmus --at 13 --save b
  vmmu diff a b
`,
	kernels: `\
usage: vmmu kernels [--json]

Print the kernels that are modelled, and the commits that +ID and -ID can name.
`,
};

/** The help on a command, or in general; undefined for no command. */
export function helpText(command?: string): string | undefined {
	return command === undefined ? GENERAL
		: Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
}
