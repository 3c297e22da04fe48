# Debian packages without installing them: a private apt fetches, dpkg-deb unpacks.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

apt_helper=/usr/lib/apt/apt-helper
sysroot=$tools/sysroot

# Whether the machine's own compiler makes programs: a g++ without headers is no use.
has_compiler() {
    command -v cc ar >/dev/null &&
        c++ -x c++ -o /dev/null - 2>/dev/null <<<$'#include <string>\nint main() {}'
}

# The file of certificate authorities to trust, if the machine has one.
ca_bundle() {
    local file
    for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt; do
        if [[ -s $file && $file != "$tools"/* ]]; then echo "$file" && return; fi
    done
    return 1
}

# Fills `packages` with those whose programs the machine lacks. Asked once, before .tools/env is
# sourced, or what was unpacked would pass for the machine's own.
find_packages() {
    packages=()
    has_compiler || packages+=(g++ libc6-dev)
    command -v nasm >/dev/null || packages+=(nasm) # For the fast half of libjpeg.
    command -v unzip >/dev/null || command -v python3 >/dev/null || packages+=(unzip)
    ca_bundle >/dev/null || packages+=(ca-certificates)
    if needs_pip && ! python3 -m pip --version >/dev/null 2>&1; then packages+=(python3-pip); fi
}

# For CUDA's libtorch, and for what the tests compare with.
needs_pip() {
    [[ $(libtorch_variant) == cuda || " ${parts[*]} " == *" timm "* ]]
}

packages_about() {
    case " ${packages[*]} " in
        "  ") echo "0 0 C++ compiler" ;;
        " nasm ") echo "4 30 nasm from Debian, an assembler" ;;
        *" g++ "*) echo "90 340 C++ compiler from Debian (${packages[*]})" ;;
        *) echo "40 90 tools from Debian (${packages[*]})" ;;
    esac
}

packages_there() {
    local package
    for package in "${packages[@]}"; do
        grep -qxF "$package" "$sysroot/packages" 2>/dev/null || return
    done
}

packages_get() {
    step "fetching ${packages[*]} into .tools/sysroot"
    unpack_debs "$sysroot.part" "${packages[@]}"
    bundle_certificates "$sysroot.part"
    printf '%s\n' "${packages[@]}" >"$sysroot.part/packages"
    rm -rf "$sysroot"
    mv "$sysroot.part" "$sysroot"
    write_wrappers
}

# Does what ca-certificates' postinst would do in /etc.
bundle_certificates() {
    local folder=$1/usr/share/ca-certificates
    if [[ -d $folder ]]; then
        find "$folder" -name '*.crt' -exec cat {} + >"$1/ca-certificates.crt"
    fi
}

# Unpacked programs look for their files in /; these tell them where they are instead.
write_wrappers() {
    rm -f "$tools"/bin/{cc,c++,gcc,g++,ar,nasm,unzip,python3}
    if [[ -x $sysroot/usr/bin/g++ ]]; then
        wrapper cc gcc
        wrapper gcc gcc
        wrapper c++ g++
        wrapper g++ g++
        wrapper ar ar
    fi
    if [[ -x $sysroot/usr/bin/nasm ]]; then wrapper nasm nasm; fi
    if [[ -x $sysroot/usr/bin/unzip ]]; then wrapper unzip unzip; fi
    if [[ -x $sysroot/usr/bin/python3 ]]; then wrapper python3 python3; fi
}

# Writes .tools/bin/NAME, which runs PROGRAM of the sysroot. Paths stay relative: checkouts move.
wrapper() {
    local name=$1 program=$2 arguments='' home='' lib=lib/x86_64-linux-gnu libraries
    libraries="\$sysroot/usr/$lib"
    case $program in
        gcc | g++) arguments="--sysroot=\"\$sysroot\" -B\"\$sysroot/usr/bin\"" ;;
        python3)
            home="PYTHONHOME=\"\$sysroot/usr\" "
            libraries+=":\$sysroot/$lib" # libexpat
            ;;
    esac
    cat >"$tools/bin/$name" <<EOF
#!/bin/sh
sysroot=\${0%/*}/../sysroot
${home}LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" \\
    exec "\$sysroot/usr/bin/$program" $arguments "\$@"
EOF
    chmod +x "$tools/bin/$name"
}

# apt with every folder and hook of its own; sources, keys and proxies are the machine's.
write_apt_conf() {
    local ca
    mkdir -p "$tools"/apt/{lists,archives,log}/partial
    : >"$tools/apt/status" # Nothing is installed, so dependencies come complete.
    cat >"$tools/apt/apt.conf" <<EOF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets::deb::DEP-11;
Dir::State "$tools/apt";
Dir::State::lists "$tools/apt/lists";
Dir::State::status "$tools/apt/status";
Dir::Cache "$tools/apt";
Dir::Cache::archives "$tools/apt/archives";
Dir::Log "$tools/apt/log";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
    ca=$(ca_bundle) || ca=$sysroot/ca-certificates.crt
    if [[ -f $ca ]]; then echo "Acquire::https::CAInfo \"$ca\";" >>"$tools/apt/apt.conf"; fi
}

# The private apt, with the lists of packages that the machine's sources have now.
prepare_apt() {
    write_apt_conf
    if [[ ! -f $tools/apt/updated ]]; then
        apt-get -c "$tools/apt/apt.conf" -qq update ||
            echo "warning: some of the machine's package sources did not answer" >&2
        touch "$tools/apt/updated"
    fi
}

# Unpacks Debian packages, and all they depend on, into a new folder.
unpack_debs() {
    local folder=$1 deb
    shift
    prepare_apt
    rm -rf "$folder" "$tools"/apt/archives/*.deb
    apt-get -c "$tools/apt/apt.conf" -qq -y --download-only install "$@" >"$tools/apt/log/install" ||
        die "the Debian package $* could not be fetched" \
            "check the network and /etc/apt/sources.list, remove .tools/apt, run scripts/setup again"
    mkdir -p "$folder"
    for deb in "$tools"/apt/archives/*.deb; do dpkg-deb -x "$deb" "$folder"; done
    rm -f "$tools"/apt/archives/*.deb
}

# Downloads URL to .tools/downloads; under its own name only once it is whole and its SHA-256 right.
fetch() {
    local url=$1 sha256=${2:-} file=$tools/downloads/${1##*/}
    if is_whole "$file" "$sha256"; then return; fi
    if command -v curl >/dev/null; then
        fetch_by_curl "$url" "$file.part"
    else
        fetch_by_apt "$url" "$file.part"
    fi || return
    if [[ -n $sha256 ]] && ! is_whole "$file.part" "$sha256"; then
        echo "error: $url has changed: its SHA-256 is not $sha256" >&2
        rm "$file.part"
        return 1
    fi
    mv "$file.part" "$file"
}

is_whole() {
    [[ -f $1 && -n $2 ]] && sha256sum -c --status <<<"$2  $1"
}

# curl goes on where an interrupted download stopped.
fetch_by_curl() {
    local progress=(--silent --show-error) status=0
    if [[ -t 2 ]]; then progress=(--progress-bar); fi
    curl --fail --location --retry 3 "${progress[@]}" --continue-at - --output "$2" "$1" || status=$?
    if ((status == 22)); then rm -f "$2"; fi # An HTTP error: there is nothing to go on from.
    return "$status"
}

# A bare Debian has no curl, but its apt can download; it begins again each time.
fetch_by_apt() {
    write_apt_conf
    "$apt_helper" -c "$tools/apt/apt.conf" download-file "$1" "$2"
}
