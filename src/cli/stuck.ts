// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a process that does not come to its end is: its debugger, which SIGUSR1 starts also in the
 * middle of a loop, stops it and tells. It speaks over a WebSocket on the loopback (RFC 6455).
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A frame of a stack, in 0-based places. */
export interface Frame {
	readonly name: string;
	/** Path of the script. */
	readonly file: string;
	readonly line: number;
	readonly column: number;
}

const ANSWER_MS = 20_000;
const TEXT_FRAME = 0x81, MASKED = 0x80, SHORT_MAX = 125;

/* A short message of a client, masked as it must be. */
function message(method: string, id: number): Buffer {
	const text = Buffer.from(JSON.stringify({ id, method }));
	const mask = randomBytes(4);

	if (text.length > SHORT_MAX)
		throw new RangeError('a message too long for a short frame');
	return Buffer.concat([Buffer.from([TEXT_FRAME, MASKED | text.length]), mask,
		text.map((byte, i) => byte ^ mask[i % 4]!)]);
}

const LISTENS = /ws:\/\/127\.0\.0\.1:(\d+)(\/\S+)/;
const CALL = new RegExp('"functionName":"([^"]*)","functionLocation":\\{[^}]*\\},' +
	'"location":\\{"scriptId":"(\\d+)","lineNumber":(\\d+),"columnNumber":(\\d+)\\}', 'g');
const SCRIPT = /"method":"Debugger.scriptParsed","params":\{"scriptId":"(\d+)","url":"([^"]*)"/g;

/* The stack that a debugger's messages tell. */
function stackOf(messages: string, paused: string): Frame[] {
	const files = new Map([...messages.matchAll(SCRIPT)].map(([, id, url]) =>
		[id, url!.startsWith('file:') ? fileURLToPath(url!) : url!]));

	return [...paused.matchAll(CALL)].map(([, name, id, line, column]) => ({ name: name!,
		file: files.get(id) ?? '', line: Number(line), column: Number(column) }));
}

/**
 * Stop a process that was started with --inspect-port=0, and say where; it is left stopped.
 * @param child with stderr as a pipe
 * @param tell called once, with the stack, innermost frame first; empty if it does not answer
 */
export function whereIs(child: ChildProcess, tell: (frames: Frame[]) => void): void {
	let said = '', answered = '', told = false;
	const give = (frames: Frame[]): void => {
		clearTimeout(patience);
		if (!told)
			tell(frames);
		told = true;
	};
	const patience = setTimeout(() => give([]), ANSWER_MS);

	child.stderr!.on('data', (part: Buffer | string) => {
		const before = LISTENS.test(said);
		said += String(part);
		const [, port, path] = LISTENS.exec(said) ?? [];
		if (before || port === undefined)
			return;
		const socket = connect(Number(port), '127.0.0.1');
		socket.on('error', () => give([]));
		socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
			'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
			`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
			'Sec-WebSocket-Version: 13\r\n\r\n');
		socket.on('data', (bytes) => {
			if (answered === '')
				socket.write(Buffer.concat([message('Debugger.enable', 1),
					message('Debugger.pause', 2)]));
			answered += bytes.toString('latin1');
			const at = answered.indexOf('"method":"Debugger.paused"');
			if (at < 0 || !answered.includes('"reason":', at))
				return;
			socket.destroy();
			give(stackOf(answered, answered.slice(at)));
		});
	});
	child.kill('SIGUSR1');
}
