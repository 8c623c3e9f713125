#!/usr/bin/env bash
# Runs one fuzz target for a while, from its seeds: `dev/fuzz.sh TARGET SECONDS`; `dev/fuzz.sh build` compiles them all.
# libFuzzer's coverage works on the pinned stable toolchain; the sanitizers, which need a nightly, are left out:
# the code under test is safe Rust, so a panic, a wrong answer, a hang or too much memory is what can be found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=$1
export RUSTC_BOOTSTRAP=1 PATH="$PWD/target/tools/bin:$PATH"
mkdir -p target/ci

if [[ $target == build ]]; then
    cargo fuzz build --sanitizer none >target/ci/fuzz-build.log 2>&1 || {
        tail -n 60 target/ci/fuzz-build.log
        exit 1
    }
    exit
fi
seconds=$2

corpus=fuzz/corpus/$target
log=target/ci/fuzz-$target.log
mkdir -p "$corpus"
if ! cargo fuzz run --sanitizer none "$target" "$corpus" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 >"$log" 2>&1; then
    tail -n 60 "$log"
    exit 1
fi
grep -E '^(Done|stat::(new_units_added|peak_rss_mb))' "$log"
