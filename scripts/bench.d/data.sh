# What `scripts/bench data` needs: its peers in .tools/bench-data, its photographs in .tools/bench-photographs.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

loaders=$tools/bench-data
loaders_wants=$root/scripts/bench.d/data.txt
photographs=$tools/bench-photographs

loaders_there() {
    cmp -s "$loaders_wants" "$loaders/requirements.txt"
}

loaders_get() {
    echo "to download for the comparison with tf.data and DALI (once): some 1,200 MB from PyPI, 2.5 GB on"
    echo "  disk, into .tools/bench-data. To undo: remove .tools/bench-data."
    environment "$loaders" "$loaders_wants"
}

photographs_there() {
    [[ -f $photographs/small.bin ]]
}

# Needs timm, for Pillow.
photographs_get() {
    echo "to download for its photographs (once): 142 MB from Debian (opencv-doc, mate-backgrounds)"
    step "cutting photographs into .tools/bench-photographs"
    unpack_debs "$tools/apt/photographs" opencv-doc mate-backgrounds
    rm -rf "$photographs" "$photographs.part"
    PYTHONPATH=$timm python3 "$root/scripts/bench.d/photographs.py" \
        "$tools/apt/photographs" "$photographs.part"
    mv "$photographs.part" "$photographs"
    rm -rf "$tools/apt"
}
