#!/usr/bin/env bash
# Fetches what the checks need beside Rust, into this checkout only (`.venv`, `target/`): `dev/setup.sh fuzz python deny peers`.
# What is already there stays, so calling it twice costs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What apt calls it, and the command it brings.
need() {
    command -v "$2" >/dev/null || { apt-get update -qq && apt-get install -y -qq "$1"; }
}

cargo_tool() {
    local name=$1 version=$2
    [[ -x target/tools/bin/$name ]] || cargo install --quiet --locked --root target/tools --version "$version" "$name"
}

# boto3, the AWS CLI, pytest and moto in .venv; made anew when the list of versions has changed.
python() {
    cmp -s dev/python/requirements.txt .venv/requirements.txt && return
    need python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement dev/python/requirements.txt
    cp dev/python/requirements.txt .venv/
}

# libFuzzer is C++.
fuzz() {
    need g++ g++
    cargo_tool cargo-fuzz 0.13.2
}

deny() { cargo_tool cargo-deny 0.20.2; }

# What `just bench` measures against.
peers() {
    python
    need npm npm
    npm install --silent --no-fund --no-audit --prefix target/bench dynalite@4.0.0
}

for what in "$@"; do
    case $what in
    python | fuzz | deny | peers) "$what" ;;
    *)
        echo "dev/setup.sh: no such thing as $what: python, fuzz, deny, peers" >&2
        exit 2
        ;;
    esac
done
