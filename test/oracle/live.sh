#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every program of test/litmus that a real kernel can run, held against Linux 5.10 under QEMU. Needs
# a build (npm ci). The status is kselftest's: 0 all equal, 1 not, 4 no kernel can be had here; the
# last line is `N passed, N failed`, a program each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

vmmu() { node dist/vmmu.cjs "$@"; }
skip() {
	echo "skipped: $*"
	exit 4
}

if ! vmmu oracle doctor; then
	command=$(vmmu oracle doctor --json |
		node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).install ?? ""') || true
	[ -n "$command" ] && [ "$(id -u)" -eq 0 ] || skip 'tools are missing'
	{ $command || { apt-get update && $command; }; } >/dev/null 2>&1 ||
		skip "could not run: $command"
fi
vmmu oracle fetch 5.10 || skip 'no kernel could be fetched'

report=$(mktemp)
trap 'rm -f "$report"' EXIT
mapfile -t programs < <(find test/litmus -name '*.litmus' | sort)
status=0
vmmu oracle diff "${programs[@]}" --on 5.10 --json >"$report" || status=$?
[ "$status" -le 1 ] || exit "$status"
node - "$report" <<'JS'
const { programs } = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const count = { equal: 0, different: 0, 'not comparable': 0 };
for (const { file, state, first } of programs) {
	count[state]++;
	if (state === 'different')
		console.log(`different: ${file} ${JSON.stringify(first)}`);
}
console.log(`${programs.length} programs, ${count['not comparable']} not comparable`);
console.log(`${count.equal} passed, ${count.different} failed`);
JS
exit "$status"
