#!/usr/bin/env bash
# The control plane installed by itself, as on a laptop that looks at a cluster's study: no libtorch, no worker.
# With the profile of the tests, so that most of it is compiled already.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$root"

there=$root/target/installed
LIBTORCH=/nowhere cargo install --path crates/cli --locked --debug --quiet --root "$there" --target-dir "$root/target"
study=$(mktemp -d)
trap 'rm -rf "$study"' EXIT
cp "$there/bin/augreg" "$study/augreg" # Alone: no worker lies beside it.
augreg() { env -u AUGREG_WORKER PATH=/usr/bin:/bin "$study/augreg" --root "$study/study" "$@"; }

[[ $(augreg plan sweeps/augreg-imagenet1k.toml) == *"252 jobs"* ]] || die "the installed augreg plans something else"
augreg --quiet import --paper >/dev/null
augreg query "select count(*) as rows from v_runs" >/dev/null
if augreg doctor >"$study/told" 2>&1; then die "the installed augreg finds a worker where there is none"; fi
grep --quiet "there is no .augreg-worker. beside" "$study/told" || die "the installed augreg does not say what is missing"
echo "augreg $(augreg --version | cut -d' ' -f2) plans, imports and answers without libtorch"
