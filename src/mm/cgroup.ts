// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/cgroup/cgroup.c, include/linux/cgroup.h, v5.10
 * The default hierarchy with its one controller that matters here, memory.
 * Left out: cgroup v1, the other controllers, threaded cgroups, namespaces, delegation and its
 * permissions, freezer, BPF, limits of depth and descendants. A css_set stands for the cgroup of a
 * task alone, since the cgroup decides the one css there is.
 * Works that the kernel queues (the offlining of a killed css, the freeing of a released one) are
 * done at once: nothing can see the time between.
 * Lock order modelled: none.
 */
import { VM_BUG_ON, WARN_ON_ONCE } from '../lib/bug.ts';
import { EBUSY, EEXIST, EINVAL, ENAMETOOLONG, ENODEV, ENOENT, ENOMEM, ESRCH }
	from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add_tail, list_del, list_del_init, list_empty } from '../lib/list.ts';
import { global_s32, kmem_cache_free, kmem_cache_zalloc, list_heads, nr_rows, type out }
	from '../lib/struct.ts';
import { current } from './current.ts';
import { mem_cgroup_css_alloc, mem_cgroup_css_free, mem_cgroup_css_offline, mem_cgroup_css_online,
	mem_cgroup_css_released } from './memcontrol.ts';
import { CGROUP_NAME_LEN, cgroups, CSS_DYING, CSS_NO_REF, CSS_ONLINE, CSS_RELEASED, memcgs,
	ROOT_MEM_CGROUP, type cgroup, type mem_cgroup } from './memcontrol_types.ts';
import { PF_EXITING, tasks, type task_struct } from './mm_types.ts';

const { next: list_next } = list_heads;
const { css_refcnt, css_flags } = memcgs;

/** The first cgroup of a boot. */
export const ROOT_CGROUP = 1 as cgroup;
/* cgrp_dfl_root.flags: the mount options memory_localevents and memory_recursiveprot */
export const CGRP_ROOT_MEMORY_LOCAL_EVENTS = 1 << 5, CGRP_ROOT_MEMORY_RECURSIVE_PROT = 1 << 6;
export const cgrp_dfl_root_flags = global_s32('cgrp_dfl_root_flags');
/* Serial number of the next cgroup. */
const cgroup_next_ino = global_s32('cgroup_next_ino');

/** @ported v5.10 include/linux/cgroup.h:css_get() */
export function css_get(css: mem_cgroup): void {
	if ((css_flags[css] & CSS_NO_REF) === 0) {
		VM_BUG_ON(css_refcnt[css] <= 0, 'css_get: of a released css');
		css_refcnt[css]++;
	}
}

/**
 * Take a reference unless the last one is gone; a css that is offline still gives one.
 * @ported v5.10 include/linux/cgroup.h:css_tryget()
 */
export function css_tryget(css: mem_cgroup): boolean {
	if ((css_flags[css] & CSS_NO_REF) !== 0)
		return true;
	if (css_refcnt[css] === 0)
		return false;
	css_refcnt[css]++;
	return true;
}

/** @ported v5.10 include/linux/cgroup.h:css_tryget_online() */
export function css_tryget_online(css: mem_cgroup): boolean {
	if ((css_flags[css] & CSS_NO_REF) !== 0)
		return true;
	if ((css_flags[css] & CSS_DYING) !== 0)
		return false;
	return css_tryget(css);
}

/** @ported v5.10 include/linux/cgroup.h:css_put() */
export function css_put(css: mem_cgroup): void {
	if ((css_flags[css] & CSS_NO_REF) !== 0)
		return;
	VM_BUG_ON(css_refcnt[css] <= 0, 'css_put: more puts than gets');
	if (--css_refcnt[css] === 0)
		css_release(css);
}

/** @ported v5.10 include/linux/cgroup.h:cgroup_get() */
export function cgroup_get(cgrp: cgroup): void {
	cgroups.refcnt[cgrp]++;
}

/** @ported v5.10 include/linux/cgroup.h:cgroup_put(), with css_free_rwork_fn() of a cgroup */
export function cgroup_put(cgrp: cgroup): void {
	if (--cgroups.refcnt[cgrp] !== 0)
		return;
	const parent = cgroups.parent[cgrp];
	VM_BUG_ON(!parent, 'the root cgroup is freed');
	VM_BUG_ON(!list_empty(cgroups.tasks(cgrp)), 'a cgroup with tasks is freed');
	list_del(cgroups.sibling(cgrp));
	kmem_cache_free(cgroups, cgrp);
	cgroup_put(parent);
}

/**
 * Its own css, or that of the nearest ancestor that has one.
 * @ported v5.10 static kernel/cgroup/cgroup.c:cgroup_e_css_by_mask()
 */
export function cgroup_e_css(cgrp: cgroup): mem_cgroup {
	while (!cgroups.memcg[cgrp])
		cgrp = cgroups.parent[cgrp];
	return cgroups.memcg[cgrp];
}

/**
 * Whether the subtree of a cgroup has tasks.
 * @reduced counts by walking, where the kernel keeps a count; nobody asks on a hot path
 */
export function cgroup_is_populated(cgrp: cgroup): boolean {
	if (!list_empty(cgroups.tasks(cgrp)))
		return true;
	for (let child = cgroup_next_live_child(0 as cgroup, cgrp); child;
		child = cgroup_next_live_child(child, cgrp)) {
		if (cgroup_is_populated(child))
			return true;
	}
	return false;
}

/** @ported v5.10 static */
export function cgroup_has_tasks(cgrp: cgroup): boolean {
	return !list_empty(cgroups.tasks(cgrp));
}

/**
 * The next child after pos (0: the first) that no rmdir has taken; 0 after the last.
 * @custom the macro cgroup_for_each_live_child()
 */
export function cgroup_next_live_child(pos: cgroup, parent: cgroup): cgroup {
	const head = cgroups.children(parent);
	let at = pos ? list_next[cgroups.sibling(pos)] : list_next[head];

	for (; at !== head; at = list_next[at]) {
		const child = cgroups.sibling.container_of(at);
		if (!cgroups.dead[child])
			return child;
	}
	return 0 as cgroup;
}

/** @custom the macro cgroup_for_each_live_descendant_pre(); visits root first, 0 after the last */
export function cgroup_next_live_descendant_pre(pos: cgroup, root: cgroup): cgroup {
	if (!pos)
		return root;
	const first = cgroup_next_live_child(0 as cgroup, pos);
	if (first)
		return first;
	while (pos !== root) {
		const parent = cgroups.parent[pos];
		const sibling = cgroup_next_live_child(pos, parent);
		if (sibling)
			return sibling;
		pos = parent;
	}
	return 0 as cgroup;
}

/**
 * @reduced looks for a child with a css alone; a live child without one would count too, but it
 * is a child of a cgroup without +memory
 */
export function css_has_online_children(cgrp: cgroup): boolean {
	return cgroup_next_live_child(0 as cgroup, cgrp) !== 0;
}

/**
 * The next child of a css after pos (0: the first), in the order of creation; 0 after the last.
 * A css stays among the children until its last reference is gone.
 * @reduced the search by serial number after a release of pos: who iterates holds a reference
 */
export function css_next_child(pos: mem_cgroup, parent: mem_cgroup): mem_cgroup {
	const head = memcgs.children(parent);
	const next = list_next[pos ? memcgs.sibling(pos) : head];

	return next === head ? 0 as mem_cgroup : memcgs.sibling.container_of(next);
}

/** @ported v5.10 */
export function css_next_descendant_pre(pos: mem_cgroup, root: mem_cgroup): mem_cgroup {
	if (!pos)
		return root;

	const first = css_next_child(0 as mem_cgroup, pos);
	if (first)
		return first;

	/* no child: the next sibling of it or of its closest ancestor that has one */
	while (pos !== root) {
		const parent = memcgs.parent[pos];
		const next = css_next_child(pos, parent);
		if (next)
			return next;
		pos = parent;
	}
	return 0 as mem_cgroup;
}

/**
 * Controllers that the parent gives to a cgroup: 1 for memory.
 * @ported v5.10 static
 */
export function cgroup_control(cgrp: cgroup): number {
	const parent = cgroups.parent[cgrp];

	return parent ? cgroups.subtree_control[parent] : 1;
}

/**
 * Put every task below cgrp under the css that is the effective one now.
 * @reduced the migration between css_sets; memory's attach callbacks move nothing on cgroup v2
 */
export function cgroup_update_dfl_csses(cgrp: cgroup): void {
	for (let dsct = cgroup_next_live_descendant_pre(0 as cgroup, cgrp); dsct;
		dsct = cgroup_next_live_descendant_pre(dsct, cgrp)) {
		/* A controller that is to go is not effective, though its css is still there. */
		let from = dsct;
		while (!cgroups.memcg[from] || !cgroup_control(from))
			from = cgroups.parent[from];
		const css = cgroups.memcg[from];
		const head = cgroups.tasks(dsct);
		for (let at = list_next[head]; at !== head; at = list_next[at])
			task_set_css(tasks.cg_list.container_of(at), css);
	}
}

/** @ported v5.10 static */
export function cgroup_apply_control_enable(cgrp: cgroup): number {
	for (let dsct = cgroup_next_live_descendant_pre(0 as cgroup, cgrp); dsct;
		dsct = cgroup_next_live_descendant_pre(dsct, cgrp)) {
		if (!cgroup_control(dsct))
			continue;
		if (!cgroups.memcg[dsct]) {
			const ret = css_create(dsct);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/**
 * @reduced css_reset: no controller that is modelled depends on memory
 */
export function cgroup_apply_control_disable(cgrp: cgroup): void {
	for (let child = cgroup_next_live_child(0 as cgroup, cgrp); child;
		child = cgroup_next_live_child(child, cgrp))
		cgroup_apply_control_disable(child);
	const css = cgroups.memcg[cgrp];
	if (css && memcgs.parent[css] && !cgroup_control(cgrp))
		kill_css(css);
}

/** @reduced no threaded cgroups: every task is a process */
export function cgroup_vet_subtree_control_enable(cgrp: cgroup): number {
	/* The root may have both tasks and controlled children. */
	if (!cgroups.parent[cgrp])
		return 0;
	/* Children of controlled cgroups would compete with the tasks. */
	if (cgroup_has_tasks(cgrp))
		return -EBUSY;
	return 0;
}

/**
 * Write cgroup.subtree_control: names of controllers, each after + or -.
 * @returns 0 or -EINVAL, -ENODEV (removed), -ENOENT (not available), -EBUSY
 * @reduced controllers other than memory are not there, so -EINVAL
 */
export function cgroup_subtree_control_write(cgrp: cgroup, text: string): number {
	let enable = false, disable = false;

	for (const token of strstrip(text).split(' ')) {
		if (token === '')
			continue;
		if (token.slice(1) !== 'memory' || (token[0] !== '+' && token[0] !== '-'))
			return -EINVAL;
		enable = token[0] === '+';
		disable = !enable;
	}
	if (cgroups.dead[cgrp])
		return -ENODEV;
	if (enable) {
		if (cgroups.subtree_control[cgrp])
			return 0;
		if (!cgroup_control(cgrp))
			return -ENOENT;
	} else if (disable) {
		if (!cgroups.subtree_control[cgrp])
			return 0;
		for (let child = cgroup_next_live_child(0 as cgroup, cgrp); child;
			child = cgroup_next_live_child(child, cgrp)) {
			if (cgroups.subtree_control[child])
				return -EBUSY;
		}
	} else {
		return 0;
	}
	if (enable) {
		const ret = cgroup_vet_subtree_control_enable(cgrp);
		if (ret)
			return ret;
	}
	cgroups.subtree_control[cgrp] = enable ? 1 : 0;
	const ret = cgroup_apply_control_enable(cgrp);
	if (ret)
		cgroups.subtree_control[cgrp] = 0;
	else
		cgroup_update_dfl_csses(cgrp);
	cgroup_apply_control_disable(cgrp);
	return ret;
}

/** @reduced the work queue between */
export function css_free_rwork_fn(css: mem_cgroup): void {
	const parent = memcgs.parent[css];
	const cgrp = memcgs.cgroup[css];

	mem_cgroup_css_free(css);
	cgroup_put(cgrp);
	if (parent)
		css_put(parent);
}

/** @ported v5.10 static */
export function css_release_work_fn(css: mem_cgroup): void {
	css_flags[css] |= CSS_RELEASED;
	list_del(memcgs.sibling(css));
	mem_cgroup_css_released(css);
	css_free_rwork_fn(css);
}

/** @reduced the work queue between */
export function css_release(css: mem_cgroup): void {
	css_release_work_fn(css);
}

/** @ported v5.10 static */
export function init_and_link_css(css: mem_cgroup, cgrp: cgroup): void {
	const parent_cgroup = cgroups.parent[cgrp];

	cgroup_get(cgrp);
	memcgs.cgroup[css] = cgrp;
	INIT_LIST_HEAD(memcgs.sibling(css));
	INIT_LIST_HEAD(memcgs.children(css));
	memcgs.online_cnt[css] = 0;
	if (parent_cgroup) {
		const parent = cgroups.memcg[parent_cgroup];
		memcgs.parent[css] = parent;
		memcgs.level[css] = memcgs.level[parent] + 1;
		css_get(parent);
	}
	WARN_ON_ONCE(cgroups.memcg[cgrp] !== 0, 'a css is created where one is');
}

/** @ported v5.10 static */
export function online_css(css: mem_cgroup): number {
	const ret = mem_cgroup_css_online(css);

	if (!ret) {
		css_flags[css] |= CSS_ONLINE;
		cgroups.memcg[memcgs.cgroup[css]] = css;
		memcgs.online_cnt[css]++;
		if (memcgs.parent[css])
			memcgs.online_cnt[memcgs.parent[css]]++;
	}
	return ret;
}

/** @ported v5.10 static */
export function offline_css(css: mem_cgroup): void {
	if ((css_flags[css] & CSS_ONLINE) === 0)
		return;
	mem_cgroup_css_offline(css);
	css_flags[css] &= ~CSS_ONLINE;
	cgroups.memcg[memcgs.cgroup[css]] = 0 as mem_cgroup;
}

/**
 * @returns 0 or -ENOMEM.
 * @ported v5.10 static
 */
export function css_create(cgrp: cgroup): number {
	const parent = cgroups.parent[cgrp];
	const parent_css = parent ? cgroups.memcg[parent] : 0 as mem_cgroup;
	const css = mem_cgroup_css_alloc(parent_css);

	if (!css)
		return -ENOMEM;
	init_and_link_css(css, cgrp);
	css_refcnt[css] = 1;
	if (parent_css)
		list_add_tail(memcgs.sibling(css), memcgs.children(parent_css));
	return online_css(css);
}

/**
 * Make a cgroup.
 * @param cgrp the new one, when 0 is returned
 * @returns 0 or -EINVAL, -ENODEV (the parent is removed), -EEXIST, -ENAMETOOLONG, -ENOMEM
 * @reduced names are at most CGROUP_NAME_LEN bytes, where kernfs takes 255
 */
export function cgroup_mkdir(parent: cgroup, name: string, cgrp: out<cgroup>): number {
	if (name === '' || name === '.' || name === '..' || /[\n/\0]/.test(name))
		return -EINVAL;
	if (cgroups.dead[parent])
		return -ENODEV;
	const bytes = new TextEncoder().encode(name);
	if (bytes.length > CGROUP_NAME_LEN)
		return -ENAMETOOLONG;
	if (cgroup_child(parent, name))
		return -EEXIST;

	const child = kmem_cache_zalloc(cgroups);
	if (!child)
		return -ENOMEM;
	for (let i = 0; i < bytes.length; i++)
		cgroups.name[child * (CGROUP_NAME_LEN + 1) + i] = bytes[i]!;
	cgroup_create(child, parent);
	const ret = cgroup_control(child) ? css_create(child) : 0;
	if (ret) {
		cgroup_destroy_locked(child);
		return ret;
	}
	cgrp.v = child;
	return 0;
}

/** @reduced to the links of a new cgroup */
export function cgroup_create(cgrp: cgroup, parent: cgroup): void {
	INIT_LIST_HEAD(cgroups.children(cgrp));
	INIT_LIST_HEAD(cgroups.tasks(cgrp));
	cgroups.refcnt[cgrp] = 1;
	cgroups.ino[cgrp] = cgroup_next_ino.v++;
	cgroups.parent[cgrp] = parent;
	if (!parent)
		return;
	cgroups.level[cgrp] = cgroups.level[parent] + 1;
	cgroup_get(parent);
	list_add_tail(cgroups.sibling(cgrp), cgroups.children(parent));
}

/** @ported v5.10 static */
export function css_killed_work_fn(css: mem_cgroup): void {
	do {
		const parent = memcgs.parent[css];
		offline_css(css);
		css_put(css);
		/* There still: this css was one in its count of those online. */
		css = parent;
	} while (css && --memcgs.online_cnt[css] === 0);
}

/** @reduced the RCU period and the work queue between */
export function css_killed_ref_fn(css: mem_cgroup): void {
	if (--memcgs.online_cnt[css] === 0)
		css_killed_work_fn(css);
}

/** @ported v5.10 static */
export function kill_css(css: mem_cgroup): void {
	if ((css_flags[css] & CSS_DYING) !== 0)
		return;
	css_flags[css] |= CSS_DYING;
	/* Stays until the css is offline: put by css_killed_work_fn(). */
	css_get(css);
	css_put(css);
	css_killed_ref_fn(css);
}

/** @ported v5.10 static */
export function cgroup_destroy_locked(cgrp: cgroup): number {
	if (cgroup_is_populated(cgrp))
		return -EBUSY;
	if (css_has_online_children(cgrp))
		return -EBUSY;
	cgroups.dead[cgrp] = 1;
	if (cgroups.memcg[cgrp])
		kill_css(cgroups.memcg[cgrp]);
	/* its own, of cgroup_create() */
	cgroup_put(cgrp);
	return 0;
}

/**
 * Remove a cgroup that has neither tasks nor children; its memory stays charged to its css.
 * @returns 0, -EBUSY, or -ENODEV when it is removed already
 * @ported v5.10
 */
export function cgroup_rmdir(cgrp: cgroup): number {
	if (cgroups.dead[cgrp])
		return -ENODEV;
	if (!cgroups.parent[cgrp])
		return -EBUSY;
	return cgroup_destroy_locked(cgrp);
}

/** @reduced no threaded cgroups: every task is a process */
export function cgroup_migrate_vet_dst(dst_cgrp: cgroup): number {
	if (!cgroups.parent[dst_cgrp])
		return 0;
	/* Tasks are in the leaves only, where it comes to controllers. */
	return cgroups.subtree_control[dst_cgrp] ? -EBUSY : 0;
}

/** @custom tasks hold a css reference each, where the kernel's css_set holds one for them all */
function task_set_css(task: task_struct, css: mem_cgroup): void {
	const old = tasks.memcg[task];

	if (old === css)
		return;
	css_get(css);
	tasks.memcg[task] = css;
	if (old)
		css_put(old);
}

/**
 * Move a task, which on cgroup v2 leaves its memory charged where it was.
 * @returns 0 or -EBUSY, -ENODEV (the cgroup is removed), -ESRCH (the task has exited)
 * @reduced from css_sets to the tasks of a process
 */
export function cgroup_attach_task(dst_cgrp: cgroup, leader: task_struct): number {
	if (cgroups.dead[dst_cgrp])
		return -ENODEV;
	if ((tasks.flags[leader] & PF_EXITING) !== 0)
		return -ESRCH;
	const ret = cgroup_migrate_vet_dst(dst_cgrp);
	if (ret)
		return ret;
	const src_cgrp = tasks.cgroup[leader];
	if (src_cgrp === dst_cgrp)
		return 0;
	css_set_move_task(leader, src_cgrp, dst_cgrp);
	task_set_css(leader, cgroup_e_css(dst_cgrp));
	for (let p = 1 as task_struct; p < nr_rows(tasks); p = p + 1 as task_struct) {
		if (!tasks.table.live[p] || tasks.group_leader[p] !== leader)
			continue;
		css_set_move_task(p, tasks.cgroup[p], dst_cgrp);
		task_set_css(p, cgroup_e_css(dst_cgrp));
	}
	return 0;
}

/** @reduced from css_sets to cgroups */
export function css_set_move_task(task: task_struct, from: cgroup, to: cgroup): void {
	if (from) {
		list_del_init(tasks.cg_list(task));
		cgroups.nr_tasks[from]--;
	}
	tasks.cgroup[task] = to;
	if (to) {
		list_add_tail(tasks.cg_list(task), cgroups.tasks(to));
		cgroups.nr_tasks[to]++;
	}
}

/**
 * Write cgroup.procs: a pid, 0 for the writer.
 * @returns 0 or -EINVAL, -ESRCH, -EBUSY, -ENODEV
 * @reduced permissions, kernel threads that are bound to their CPU
 */
export function cgroup_procs_write(cgrp: cgroup, text: string): number {
	const digits = strstrip(text);

	if (!/^\+?[0-9]+$/.test(digits))
		return -EINVAL;
	const pid = Number(digits);
	let task = pid === 0 ? current() : 0 as task_struct;
	for (let t = 1 as task_struct; !task && t < nr_rows(tasks); t = t + 1 as task_struct) {
		if (tasks.table.live[t] && tasks.pid[t] === pid && tasks.cgroup[t])
			task = t;
	}
	if (!task)
		return -ESRCH;
	return cgroup_attach_task(cgrp, task);
}

/**
 * The next task of the css after pos (0: the first), 0 after the last. Tasks of cgroups below that
 * have no css of their own belong to it too.
 * @reduced from css_sets to cgroups, so the order is that of cgroups and then of coming, where
 * css_sets come in the order of their creation: the same unless a cgroup was empty between
 */
export function css_task_iter_next(css: mem_cgroup, pos: task_struct): task_struct {
	const top = memcgs.cgroup[css];
	let cgrp = pos ? tasks.cgroup[pos] : top;
	let at = pos ? list_next[tasks.cg_list(pos)] : list_next[cgroups.tasks(cgrp)];

	for (;;) {
		if (at !== cgroups.tasks(cgrp))
			return tasks.cg_list.container_of(at);
		do {
			cgrp = cgroup_next_live_descendant_pre(cgrp, top);
		} while (cgrp && cgroup_e_css(cgrp) !== css);
		if (!cgrp)
			return 0 as task_struct;
		at = list_next[cgroups.tasks(cgrp)];
	}
}

/**
 * A new task, before it is one of any cgroup.
 * @ported v5.10
 */
export function cgroup_fork(child: task_struct): void {
	tasks.cgroup[child] = 0 as cgroup;
	tasks.memcg[child] = 0 as mem_cgroup;
	INIT_LIST_HEAD(tasks.cg_list(child));
}

/**
 * A new task joins the cgroup of the running one; the first one of a boot, and a child of a task
 * that has exited, the root.
 * @reduced no CLONE_INTO_CGROUP, which no system call here passes
 */
export function cgroup_post_fork(child: task_struct): void {
	const parent = current();
	const cgrp = parent && tasks.cgroup[parent] ? tasks.cgroup[parent] : ROOT_CGROUP;

	css_set_move_task(child, 0 as cgroup, cgrp);
	task_set_css(child, cgroup_e_css(cgrp));
}

/**
 * An exiting task, whose mm is gone already, leaves its cgroup.
 * @reduced the list of dying tasks: a zombie has no memory, and does not keep the cgroup populated
 */
export function cgroup_exit(tsk: task_struct): void {
	if (!tasks.cgroup[tsk])
		return;
	css_set_move_task(tsk, tasks.cgroup[tsk], 0 as cgroup);
	task_set_css(tsk, ROOT_MEM_CGROUP);
}

/**
 * Without the white space around.
 * @ported v5.10 lib/string.c:strstrip()
 */
export function strstrip(text: string): string {
	return text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '');
}

/**
 * Name of a cgroup, empty for the root.
 * @ported v5.10 include/linux/cgroup.h:cgroup_name()
 */
export function cgroup_name(cgrp: cgroup): string {
	const at = cgrp * (CGROUP_NAME_LEN + 1);
	const bytes: number[] = [];

	for (let i = at; cgroups.name[i]; i++)
		bytes.push(cgroups.name[i]!);
	return new TextDecoder().decode(Uint8Array.from(bytes));
}

/**
 * Path from the root, which is `/`.
 * @ported v5.10 include/linux/cgroup.h:cgroup_path()
 */
export function cgroup_path(cgrp: cgroup): string {
	let path = '';

	for (; cgroups.parent[cgrp]; cgrp = cgroups.parent[cgrp])
		path = `/${cgroup_name(cgrp)}${path}`;
	return path || '/';
}

/**
 * The live child of that name, 0 for none.
 * @custom kernfs_find_ns()
 */
export function cgroup_child(parent: cgroup, name: string): cgroup {
	for (let child = cgroup_next_live_child(0 as cgroup, parent); child;
		child = cgroup_next_live_child(child, parent)) {
		if (cgroup_name(child) === name)
			return child;
	}
	return 0 as cgroup;
}

/**
 * The live cgroup at a path from the root (`/a/b`, or `a/b`), 0 for none.
 * @reduced takes no reference
 */
export function cgroup_get_from_path(path: string): cgroup {
	let cgrp = ROOT_CGROUP;

	for (const name of path.split('/')) {
		if (name !== '')
			cgrp = cgrp && cgroup_child(cgrp, name);
	}
	return cgrp;
}

/** A file of the cgroup core. */
export interface CgroupFile {
	readonly name: string;
	readonly notOnRoot: boolean;
	readonly show: (cgrp: cgroup) => string;
	/** 0 or a negative errno. */
	readonly write?: (cgrp: cgroup, text: string) => number;
}

/** @ported v5.10 static */
export function cgroup_procs_show(cgrp: cgroup): string {
	const head = cgroups.tasks(cgrp);
	let text = '';

	for (let at = list_next[head]; at !== head; at = list_next[at]) {
		const task = tasks.cg_list.container_of(at);
		if (!tasks.group_leader[task])
			text += `${tasks.pid[task]}\n`;
	}
	return text;
}

/** @ported v5.10 static */
export function cgroup_stat_show(cgrp: cgroup): string {
	let live = 0, dying = 0;
	const count = (parent: cgroup): void => {
		const head = cgroups.children(parent);
		for (let at = list_next[head]; at !== head; at = list_next[at]) {
			const child = cgroups.sibling.container_of(at);
			if (cgroups.dead[child])
				dying++;
			else
				live++;
			count(child);
		}
	};

	count(cgrp);
	return `nr_descendants ${live}\nnr_dying_descendants ${dying}\n`;
}

/** cgroup_base_files, those that the memory controller has to do with. */
export const cgroup_base_files: readonly CgroupFile[] = [
	{ name: 'cgroup.procs', notOnRoot: false, show: cgroup_procs_show,
		write: cgroup_procs_write },
	{ name: 'cgroup.controllers', notOnRoot: false,
		show: (cgrp) => cgroup_control(cgrp) ? 'memory\n' : '\n' },
	{ name: 'cgroup.subtree_control', notOnRoot: false,
		show: (cgrp) => cgroups.subtree_control[cgrp] ? 'memory\n' : '\n',
		write: cgroup_subtree_control_write },
	{ name: 'cgroup.events', notOnRoot: true,
		show: (cgrp) => `populated ${cgroup_is_populated(cgrp) ? 1 : 0}\nfrozen 0\n` },
	{ name: 'cgroup.stat', notOnRoot: false, show: cgroup_stat_show },
];

/**
 * Make the root cgroup and its css. Nodes and CPUs are known by then; no task exists.
 * @reduced to the default hierarchy's root
 */
export function cgroup_init(): void {
	cgroup_next_ino.v = 1;
	const root = kmem_cache_zalloc(cgroups);
	VM_BUG_ON(root !== ROOT_CGROUP, 'cgroup_init: the root is not the first cgroup');
	cgroup_create(root, 0 as cgroup);
	const error = css_create(root);
	VM_BUG_ON(error !== 0 || cgroups.memcg[root] !== ROOT_MEM_CGROUP,
		'cgroup_init: the root css is not the first memcg');
	memcgs.css_flags[ROOT_MEM_CGROUP] |= CSS_NO_REF;
}
