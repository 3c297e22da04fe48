# Fashion-MNIST, the data set of the quickstart, as four IDX files.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

data=$root/data/fashion-mnist
data_says="data/fashion-mnist: 60,000 + 10,000 images 28×28 (Debian package dataset-fashion-mnist, MIT)"

data_about() {
    echo "40 55 $data_says"
}

# The upstream files, byte for byte.
data_there() {
    (cd "$data" 2>/dev/null && sha256sum -c --status) 2>/dev/null <<'EOF'
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34  t10k-labels-idx1-ubyte
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888  train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9  train-labels-idx1-ubyte
EOF
}

data_get() {
    local packed
    step "fetching Fashion-MNIST"
    unpack_debs "$tools/apt/data" dataset-fashion-mnist
    rm -rf "$data" "$data.part"
    mkdir -p "$data.part"
    for packed in "$tools"/apt/data/usr/share/datasets/fashion-mnist/*.gz; do
        gzip -dc "$packed" >"$data.part/$(basename "$packed" .gz)"
    done
    mv "$data.part" "$data"
    data_there || die "data/fashion-mnist is not the data set that augreg knows" \
        "the Debian package has changed; please report it"
    echo "$data_says"
}
