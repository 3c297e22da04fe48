# Writes .tools/env, which every other script sources.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

# Takes the Debian packages in use; says only what they need. On a machine that has everything
# it is a PATH.
write_env() {
    local wanted=" $* "
    {
        cat <<'EOF'
# Written by scripts/setup; `source` it in bash. Paths follow the checkout wherever it moves.
augreg_tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH="$augreg_tools/bin:$PATH"
EOF
        if [[ $wanted == *" g++ "* ]]; then
            cat <<'EOF'
export CC="$augreg_tools/bin/cc" CXX="$augreg_tools/bin/c++" AR="$augreg_tools/bin/ar"
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER="$augreg_tools/bin/cc"
EOF
        fi
        if [[ $wanted == *" ca-certificates "* ]]; then
            cat <<'EOF'
export SSL_CERT_FILE="${SSL_CERT_FILE:-$augreg_tools/sysroot/ca-certificates.crt}"
EOF
        fi
        cat <<'EOF'
if [[ -n ${SSL_CERT_FILE:-} ]]; then # cargo and pip have names of their own for it
    export CARGO_HTTP_CAINFO="${CARGO_HTTP_CAINFO:-$SSL_CERT_FILE}" PIP_CERT="${PIP_CERT:-$SSL_CERT_FILE}"
fi
EOF
        if ! rust_is_new_enough; then
            cat <<'EOF'
export CARGO_HOME="$augreg_tools/rust/cargo" RUSTUP_HOME="$augreg_tools/rust/rustup"
export PATH="$CARGO_HOME/bin:$PATH"
EOF
        fi
        echo "unset augreg_tools"
    } >"$tools/env.part"
    mv "$tools/env.part" "$tools/env"
}
