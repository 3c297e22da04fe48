# Rust: the machine's if it is new enough, else rustup's in .tools/rust; and cargo-nextest.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

rust_least=1.95.0
rustup_url=https://static.rust-lang.org/rustup/dist/x86_64-unknown-linux-gnu/rustup-init

# The version of the Rust on PATH; fails if there is none, or a rustup without a toolchain.
rust_version() {
    cargo --version 2>/dev/null | awk '{ print $2 }'
}

# Sets `machine_rust`; as with the packages, before .tools/env is sourced.
find_rust() {
    machine_rust=$(rust_version) || machine_rust=
}

# Whether the machine's Rust can build the workspace.
rust_is_new_enough() {
    [[ -n $machine_rust ]] &&
        printf '%s\n' "$rust_least" "${machine_rust%%-*}" | sort --check=silent --version-sort
}

rust_about() {
    if rust_is_new_enough; then
        echo "0 0 Rust $machine_rust"
    elif rust_there; then
        echo "0 0 Rust $rust_least in .tools/rust"
    elif [[ -n $machine_rust ]]; then
        echo "180 650 Rust $rust_least by rustup; the machine's $machine_rust is too old"
    else
        echo "180 650 Rust $rust_least by rustup"
    fi
}

rust_there() {
    rust_is_new_enough || [[ -f $tools/rust/version && $(<"$tools/rust/version") == "$rust_least" ]]
}

rust_get() {
    step "installing Rust $rust_least into .tools/rust"
    fetch "$rustup_url" || die_without_rust "$rustup_url could not be downloaded"
    chmod +x "$tools/downloads/rustup-init"
    CARGO_HOME=$tools/rust/cargo RUSTUP_HOME=$tools/rust/rustup RUSTUP_INIT_SKIP_PATH_CHECK=yes \
        "$tools/downloads/rustup-init" -y --quiet --no-modify-path --profile minimal \
        --default-toolchain "$rust_least" -c rustfmt -c clippy >/dev/null ||
        die_without_rust "rustup could not install Rust $rust_least"
    echo "$rust_least" >"$tools/rust/version"
}

die_without_rust() {
    die "$1" "install Rust $rust_least or newer in any way, put its cargo on PATH, run scripts/setup again"
}

nextest_about() {
    if nextest_there; then
        echo "0 0 cargo-nextest"
    else
        echo "50 800 cargo-nextest (compiled here, some minutes; 20 MB stay)"
    fi
}

nextest_there() {
    [[ -x $tools/bin/cargo-nextest ]] || command -v cargo-nextest >/dev/null
}

nextest_get() {
    step "compiling cargo-nextest into .tools/bin"
    CARGO_TARGET_DIR=$tools/nextest.part cargo install --quiet --locked --root "$tools" cargo-nextest ||
        die "cargo-nextest could not be built" "see the message above, then run scripts/setup --with-tests again"
    rm -rf "$tools/nextest.part"
}
