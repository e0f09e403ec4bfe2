// SPDX-License-Identifier: GPL-2.0-only
/*
 * The API: boot a machine and drive it by Linux's own outside, run litmus programs, keep and
 * compare states.
 */
export { boot, subrange, ADVICE, ROOT, STAT_KEYS, Cgroup, Machine, Task } from './sim/machine.ts';
export type { MachineOptions, Memfd, MmapOptions, PageCounts, Prot, Range }
	from './sim/machine.ts';
export { BlockedError, MachineError, PanicError, StepBudgetError } from './sim/errors.ts';
export { InvariantError, checkInvariants } from './sim/invariants.ts';
export { findCommit, kernelHas, parseKernel, KernelNameError } from './sim/kernels.ts';
export type { Kernel } from './sim/kernels.ts';
export { COMMITS } from './lib/commits.ts';
export type { Commit } from './lib/commits.ts';
export { POINTS } from './lib/points.ts';
export type { PointName } from './lib/points.ts';
export { eventPart, traceEventNames } from './sim/ftrace.ts';
export { decodeKpageflags, decodePagemap, decodeTraceRecord, KPF } from './sim/formats.ts';
export type { KpfName, PagemapEntry } from './sim/formats.ts';
export { page_idle_bitmap_read, page_idle_bitmap_write } from './mm/page_idle.ts';
export * from './arch/formats.ts';
export { diff, formatDifference, hash, restore, snapshot, SnapshotError, SNAPSHOT_VERSION }
	from './lib/snapshot.ts';
export type { Difference } from './lib/snapshot.ts';
export { KernelBug } from './lib/bug.ts';
export { parseLitmus } from './sim/litmus/parser.ts';
export { LitmusError } from './sim/litmus/source.ts';
export type { Span } from './sim/litmus/source.ts';
export type { Program, Statement } from './sim/litmus/ast.ts';
export { ResumeError, Runner, StatementBug, isFailure, runProgram }
	from './sim/litmus/runner.ts';
export type { Observation, Outcome, RunOptions } from './sim/litmus/runner.ts';
