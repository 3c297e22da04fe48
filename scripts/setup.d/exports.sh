# TensorBoard and pyarrow for the test of what goes out to them, and taplo, which reads sweep files, in .tools/exports and nowhere else.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

exports=$tools/exports
exports_wants=$root/scripts/setup.d/exports.txt

exports_about() {
    echo "70 275 TensorBoard, pyarrow and taplo from PyPI, for scripts/test alone"
}

# The list of requirements is copied last: a set-up that was cut short is not there.
exports_there() {
    cmp -s "$exports_wants" "$exports/requirements.txt"
}

exports_get() {
    step "installing TensorBoard, pyarrow and taplo into .tools/exports"
    rm -rf "$exports" "$exports.part"
    TMPDIR=$tools python3 -m pip install --no-cache-dir --disable-pip-version-check --quiet --no-deps \
        --no-warn-conflicts --root-user-action ignore --only-binary :all: --target "$exports.part" \
        --find-links "$tools/downloads" --requirement "$exports_wants" ||
        die "TensorBoard, pyarrow and taplo could not be installed from PyPI" \
            "check the network and that python3 is 3.11 or newer, then run this again"
    cp "$exports_wants" "$exports.part/requirements.txt"
    mv "$exports.part" "$exports"
}
