# The Python environment of the schedulers that augreg is compared with, in .tools/bench-queues and nowhere else.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

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
