# libtorch out of the PyPI wheels, whose CPU half is a sixth of the whole.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

torch_version=2.13.0 # What tch 0.26 is written for.
libtorch=$tools/libtorch
pypi=https://files.pythonhosted.org/packages

# PROJECT VERSION SHA256 PATH, in the order of size. The nvidia two are for libtorch_cpu.so, which
# names libcupti and libcudart even where there is no GPU.
wheels=(
    "torch $torch_version 60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7 01/79/1f2d34ad7034ee1c7ffc1cf8bf0f8213af2a81df6ecdb3997ecec107c09d/torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    "nvidia-cuda-cupti 13.0.85 4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8 33/6d/737d164b4837a9bbd202f5ae3078975f0525a55730fe871d8ed4e3b952b0/nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl"
    "nvidia-cuda-runtime 13.0.96 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548 2e/24/d1558f3b68b1d26e706813b1d10aa1d785e4698c425af8db8edc3dced472/nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
)

# cpu or cuda: what was asked for, else what is there, else what the machine can use.
libtorch_variant() {
    if [[ -n $variant ]]; then
        echo "$variant"
    elif [[ -f $libtorch/build-version ]]; then
        libtorch_variant_there
    elif [[ -e /proc/driver/nvidia/version ]] || command -v nvidia-smi >/dev/null; then
        echo cuda
    else
        echo cpu
    fi
}

libtorch_variant_there() {
    if [[ -e $libtorch/lib/libtorch_cuda.so ]]; then echo cuda; else echo cpu; fi
}

libtorch_about() {
    case $(libtorch_variant) in
        cpu) echo "540 490 libtorch $torch_version for CPU from PyPI" ;;
        cuda) echo "3000 4800 libtorch $torch_version for CUDA 13 from PyPI" ;;
    esac
}

libtorch_there() {
    [[ -f $libtorch/build-version && $(<"$libtorch/build-version") == "$torch_version" &&
        -f $libtorch/lib/libtorch_cpu.so && $(libtorch_variant_there) == "$(libtorch_variant)" ]]
}

libtorch_get() {
    rm -rf "$tools"/libtorch.part "$tools"/torch.part
    "libtorch_get_$(libtorch_variant)"
}

libtorch_get_cpu() {
    local part=$tools/libtorch.part wheel
    for wheel in "${wheels[@]}"; do
        step "fetching ${wheel##*/}"
        # shellcheck disable=SC2086  # Four words.
        fetch_wheel $wheel
    done
    step "unpacking libtorch into .tools/libtorch"
    mkdir -p "$part/lib"
    for wheel in "${wheels[@]}"; do
        unpack_wheel "$tools/downloads/${wheel##*/}" "$part/wheel" \
            'torch/include/*' torch/lib/{libtorch_cpu.so,libc10.so,libgomp.so.1} \
            nvidia/cu13/lib/{libcudart.so.13,libcupti.so.13}
    done
    mv "$part/wheel/torch/include" "$part/"
    mv "$part"/wheel/torch/lib/* "$part"/wheel/nvidia/cu13/lib/* "$part/lib/"
    # The wheel's libtorch.so asks for libtorch_cuda.so; only its name is needed.
    cc -shared -x c -o "$part/lib/libtorch.so" /dev/null
    rm -r "$part/wheel"
    echo "$torch_version" >"$part/build-version"
    replace_libtorch "$part"
}

# CUDA's many libraries find each other by the folders pip makes, so these stay as they are.
libtorch_get_cuda() {
    local part=$tools/torch.part platforms
    step "installing torch $torch_version and its CUDA libraries into .tools/torch"
    printf -v platforms -- '--platform=%s_x86_64 ' manylinux_2_{28..17} manylinux2014
    # shellcheck disable=SC2086  # Many words; any python3 can fetch for Python 3.11 like this.
    TMPDIR=$tools python3 -m pip install --no-cache-dir --disable-pip-version-check --quiet \
        --no-warn-conflicts --root-user-action ignore --target "$part" --only-binary :all: --python-version 3.11 $platforms \
        "torch==$torch_version" ||
        die "torch $torch_version could not be installed from PyPI" \
            "check the network and run scripts/setup again, or take the CPU variant: scripts/setup --cpu"
    echo "$torch_version" >"$part/torch/build-version"
    rm -rf "$tools/torch"
    mv "$part" "$tools/torch"
    ln -sfn torch/torch "$tools/libtorch.part"
    replace_libtorch "$tools/libtorch.part"
}

# The finished folder takes its place in one step: half a libtorch is never seen as a whole one.
replace_libtorch() {
    rm -rf "$libtorch"
    mv -T "$1" "$libtorch"
    [[ -L $libtorch ]] || rm -rf "$tools/torch"
}

# From PyPI's file host, else by pip, which may know a mirror.
fetch_wheel() {
    local project=$1 version=$2 sha256=$3 file=${4##*/}
    fetch "$pypi/$4" "$sha256" && return
    echo "trying pip instead" >&2
    python3 -m pip download --no-cache-dir --no-deps --only-binary :all: --python-version 3.11 \
        --platform "$(platform_of "$file")" --dest "$tools/downloads" "$project==$version" &&
        sha256sum -c --status <<<"$sha256  $tools/downloads/$file" && return
    die "$file could not be downloaded" \
        "check the network and run scripts/setup again, or fetch it elsewhere and put it into .tools/downloads/"
}

# pip takes a wheel for another Python only if told the wheel's own platform.
platform_of() {
    local name=${1%.whl}
    name=${name##*-}
    echo "${name%%.*}"
}

# Unpacks the members of a wheel that match the patterns; a pattern without a match is no error.
unpack_wheel() {
    local wheel=$1 folder=$2
    shift 2
    if command -v unzip >/dev/null; then
        unzip -q -o "$wheel" "$@" -d "$folder" 2>/dev/null || (($? == 11))
    else
        python3 - "$wheel" "$folder" "$@" <<'EOF'
import fnmatch, sys, zipfile
wheel, folder, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as members:
    for name in members.namelist():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            members.extract(name, folder)
EOF
    fi
}
