# PyTorch and timm for the comparison of networks and files, in .tools/timm and nowhere else.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

timm=$tools/timm
timm_wants=$root/scripts/setup.d/timm.txt

# Libraries of CUDA that PyTorch is linked with and that no program without a GPU calls: 2.5 GB.
cuda_libraries=(
    libcublas.so.13 libcublasLt.so.13 libcudnn.so.9 libcufft.so.12 libcufile.so.0 libcurand.so.10
    libcusparse.so.12 libcusparseLt.so.0 libnccl.so.2 libnvrtc.so.13 libnvshmem_host.so.3
)

timm_about() {
    echo "640 1600 PyTorch and timm from PyPI, for scripts/test alone"
}

# The list of requirements is copied last: a set-up that was cut short is not there.
timm_there() {
    cmp -s "$timm_wants" "$timm/requirements.txt"
}

timm_get() {
    step "installing PyTorch and timm into .tools/timm"
    rm -rf "$timm" "$timm.part"
    TMPDIR=$tools python3 -m pip install --no-cache-dir --disable-pip-version-check --quiet --no-deps \
        --no-warn-conflicts --root-user-action ignore --only-binary :all: --target "$timm.part" \
        --find-links "$tools/downloads" --requirement "$timm_wants" ||
        die "PyTorch and timm could not be installed from PyPI" \
            "check the network and that python3 is 3.11 or newer, then run this again"
    stand_in "$timm.part/nvidia/cu13/lib" "${cuda_libraries[@]}"
    cp "$timm_wants" "$timm.part/requirements.txt"
    mv "$timm.part" "$timm"
}

# Makes empty libraries, where PyTorch looks for CUDA's. Loading them satisfies its list of needs; a
# function that is not in them is missed when it is called, if the loader is told to be lazy.
stand_in() {
    local folder=$1 library
    shift
    for library in "$@"; do
        cc -shared -x c -o "$folder/$library" /dev/null
    done
}
