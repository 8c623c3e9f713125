# The commands of a working day; each can be typed without `just` as well.

# List the recipes.
default:
    @just --list

# Format everything.
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml

# What CI refuses, without the tests: format, clippy, directions, house rules.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo xtask layering
    cargo xtask tidy

# All tests; with `just python` done before, those of boto3 and the AWS CLI too.
test *args:
    cargo test --workspace {{ args }}

# Python clients for the tests, in .venv.
python:
    bash dev/setup.sh python

# The very run of CI.
ci:
    bash .ci/run

# Kill the server under load and look for what it had acknowledged, ROUNDS times.
crash rounds="2000":
    TIDELOCK_CRASH_ROUNDS={{ rounds }} cargo test --package tidelock --test crash -- --nocapture

# Check the rules of the lock in every order of events, further than the tests do: minutes, and gigabytes of memory.
model faults="2" passes="1" cycles="1" writes="1":
    TIDELOCK_MODEL_FAULTS={{ faults }} TIDELOCK_MODEL_PASSES={{ passes }} \
      TIDELOCK_MODEL_CYCLES={{ cycles }} TIDELOCK_MODEL_WRITES={{ writes }} \
      cargo test --package tidelock-core --test model the_rules -- --nocapture --test-threads=1

# Kill clients and server while 64 clients fight for a few locks, and judge what each of them saw, for SECONDS.
torture seconds="600":
    TIDELOCK_TORTURE_SECONDS={{ seconds }} cargo test --package tidelock --test torture -- --nocapture

# Run one fuzz target, or list them.
fuzz target="" seconds="600":
    bash dev/setup.sh fuzz
    {{ if target == "" { "PATH=target/tools/bin:$PATH cargo fuzz list" } else { "bash dev/fuzz.sh " + target + " " + seconds } }}

# Licences, sources and banned crates. (Advisories need a database from the network: `cargo deny check`.)
deny:
    bash dev/setup.sh deny
    target/tools/bin/cargo-deny check licenses bans sources

# Measure against moto and dynalite, and write docs/reference/benchmarks.md; `--build` adds a clean release build.
bench *args:
    bash dev/setup.sh peers
    cargo build --release --package tidelock
    cargo run --release --package tidelock-bench -- {{ args }}

# Many `terraform apply` that wait for one lock, beside moto, into the same page; minutes, most of them moto's.
bench-queue *args:
    bash dev/setup.sh python
    cargo build --release --package tidelock
    cargo run --release --package tidelock-bench -- queue {{ args }}

# What it costs to keep every version of a state and to read any of them, into the same page; ten minutes.
bench-history *args:
    cargo run --release --package tidelock-bench -- history {{ args }}

# What policies and the audit log cost, into the same page; `--before PATH` sets an older build beside it. Minutes.
bench-access *args:
    cargo build --release --package tidelock
    cargo run --release --package tidelock-bench -- access {{ args }}

# How soon and with how much memory the operator's commands answer on a bucket of 10,000 states, into the same page. Minutes.
bench-toolkit *args:
    cargo build --release --package tidelock
    cargo run --release --package tidelock-bench -- toolkit {{ args }}

# The API documentation of the workspace.
docs:
    cargo doc --workspace --no-deps --document-private-items
