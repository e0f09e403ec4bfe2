// SPDX-License-Identifier: GPL-2.0-only
/* Writing to the standard streams: all of it or, where nobody reads any more, quietly no more. */
import { readFileSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { UsageError } from './arguments.ts';

/** stdout cannot be written, for another reason than that its reader is gone. */
export class OutputError extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'OutputError';
	}
}

const STDIN = 0, STDOUT = 1, STDERR = 2;
const RETRY_MS = 5;

/* The error code of a failed system call. */
const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

function write(fd: number, text: string | Uint8Array): void {
	const bytes = Buffer.from(text as string);

	for (let at = 0; at < bytes.length;) {
		try {
			at += writeSync(fd, bytes, at);
		} catch (error) {
			/* A pipe that does not block is full. */
			if (codeOf(error) !== 'EAGAIN')
				throw error;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
		}
	}
}

/** Write to stdout. A reader who has gone (EPIPE) wants no more. @throws OutputError */
export function print(text: string | Uint8Array): void {
	try {
		write(STDOUT, text);
	} catch (error) {
		if (codeOf(error) !== 'EPIPE')
			throw new OutputError(`stdout: ${(error as Error).message}`);
	}
}

/** Write a message to stderr, if there is one. */
export function complain(message: string): void {
	try {
		write(STDERR, `${message}\n`);
	} catch {
		/* Nobody is there to be told. */
	}
}

/** Whether stdout is to be coloured. */
export function wantsColours(env: NodeJS.ProcessEnv = process.env): boolean {
	if (env['NO_COLOR'])
		return false;
	if (env['FORCE_COLOR'])
		return env['FORCE_COLOR'] !== '0';
	return env['TERM'] !== 'dumb' && isatty(STDOUT);
}

/** The bytes of a file, `-` is stdin. @throws UsageError */
export function readInput(path: string): Uint8Array {
	try {
		return readFileSync(path === '-' ? STDIN : path);
	} catch (error) {
		throw new UsageError(`${path}: ${reasonOf(error)}`);
	}
}

/** Why a file could not be read or written, in words. */
export function reasonOf(error: unknown): string {
	switch (codeOf(error)) {
	case 'ENOENT': return 'no such file';
	case 'EISDIR': return 'is a directory';
	case 'EACCES': return 'permission denied';
	case 'ENOTDIR': return 'not a directory';
	default: return error instanceof Error ? error.message : String(error);
	}
}
