// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a thread that does not come to its end is. node's debugger stops one in the middle of a
 * loop too, and the thread that has started it can ask for that.
 */
import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

/** A frame of a stack, in 0-based places. */
export interface Frame {
	readonly name: string;
	/** Path of the script. */
	readonly file: string;
	readonly line: number;
	readonly column: number;
}

interface CallFrame {
	readonly functionName: string;
	readonly location: {
		readonly scriptId: string;
		readonly lineNumber: number;
		readonly columnNumber: number;
	};
}

interface Message {
	readonly method?: string;
	readonly params: {
		readonly scriptId: string;
		readonly url: string;
		readonly callFrames: readonly CallFrame[];
	};
}

/**
 * Look after the thread that this one starts next.
 * @returns stops it, and tells where it was: innermost frame first
 */
export function lookAfterThread(): (tell: (frames: readonly Frame[]) => void) => void {
	const session = new Session();
	const files = new Map<string, string>();
	let thread = '', id = 0;
	let told: (frames: readonly Frame[]) => void = () => {};
	const ask = (method: string): void => session.post('NodeWorker.sendMessageToWorker',
		{ sessionId: thread, message: JSON.stringify({ id: id++, method }) });

	session.connect();
	session.on('NodeWorker.attachedToWorker', ({ params }) => { thread = params.sessionId; });
	session.on('NodeWorker.receivedMessageFromWorker', ({ params: { message } }) => {
		const { method, params } = JSON.parse(message) as Message;
		if (method === 'Debugger.scriptParsed')
			files.set(params.scriptId, params.url.startsWith('file:')
				? fileURLToPath(params.url) : params.url);
		else if (method === 'Debugger.paused')
			told(params.callFrames.map(({ functionName, location }) => ({
				name: functionName, file: files.get(location.scriptId) ?? '',
				line: location.lineNumber, column: location.columnNumber })));
	});
	session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
	return (tell) => {
		told = tell;
		ask('Debugger.enable');
		ask('Debugger.pause');
	};
}
