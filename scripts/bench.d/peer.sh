# The Python environment of the peers, in .tools/bench and nowhere else.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

peer=$tools/bench
peer_wants=$root/scripts/bench.d/requirements.txt

# The list of requirements is copied last: a set-up that was cut short is not there.
peer_there() {
    cmp -s "$peer_wants" "$peer/requirements.txt"
}

peer_get() {
    echo "to download for the comparison with PyTorch (once):"
    echo "  about 3 GB, 5 GB on disk, into .tools/bench: torch 2.13.0 and timm 1.0.31 from PyPI."
    echo "  PyPI's torch for Linux is the CUDA build and imports only with its NVIDIA libraries, even"
    echo "  on a machine without a GPU. To undo: remove .tools/bench."
    local free
    mkdir -p "$tools"
    free=$(df -Pm "$tools" | awk 'NR == 2 { print $4 }')
    ((free >= 9000)) || die "$free MB are free below .tools, 9,000 MB are needed" "make room"
    rm -rf "$peer"
    python3 -m venv "$peer" ||
        die "python3 cannot make a virtual environment" "on Debian: apt install python3-venv"
    step "installing into .tools/bench"
    "$peer/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --requirement "$peer_wants" ||
        die "pip could not install $peer_wants" "check the network and run this command again"
    cp "$peer_wants" "$peer/requirements.txt"
}
