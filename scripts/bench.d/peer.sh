# The Python environments of the peers, in .tools/bench and .tools/bench-queues and nowhere else.
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
    environment "$peer" "$peer_wants"
}

queues=$tools/bench-queues
queues_wants=$root/scripts/bench.d/queues.txt

queues_there() {
    cmp -s "$queues_wants" "$queues/requirements.txt"
}

queues_get() {
    echo "to download for the comparison with Optuna and HyperQueue (once): some 60 MB from PyPI, 200 MB"
    echo "  on disk, into .tools/bench-queues. To undo: remove .tools/bench-queues."
    environment "$queues" "$queues_wants"
}

# Makes an environment anew. Arguments: its folder, its list of requirements.
environment() {
    local folder=$1 wants=$2
    mkdir -p "$tools"
    rm -rf "$folder"
    python3 -m venv "$folder" ||
        die "python3 cannot make a virtual environment" "on Debian: apt install python3-venv"
    step "installing into ${folder#"$root/"}"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --requirement "$wants" ||
        die "pip could not install $wants" "check the network and run this command again"
    cp "$wants" "$folder/requirements.txt"
}
