# A browser and its driver for the tests of the dashboard, unpacked and not installed.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

# Programs of the machine's own are used where they are.
chromium_about() {
    if command -v chromium >/dev/null; then
        echo "9 25 chromedriver from Debian, for tests only"
    else
        echo "260 860 Chromium and its driver from Debian, for tests only"
    fi
}

chromium_there() {
    local name
    for name in chromium chromedriver; do
        "$tools/chromium/bin/$name" --version >/dev/null 2>&1 || command -v "$name" >/dev/null || return
    done
}

chromium_get() {
    local deb folder=$tools/chromium.part
    step "fetching the tests' browser into .tools/chromium"
    if command -v chromium >/dev/null; then
        # The driver alone, which has to be of the browser's version.
        local version
        version=$(dpkg-query -f '${Version}' -W chromium 2>/dev/null) || version=
        prepare_apt
        rm -rf "$folder" "$tools/apt/chromium"
        mkdir -p "$folder" "$tools/apt/chromium"
        (cd "$tools/apt/chromium" && apt-get -c "$tools/apt/apt.conf" -qq download \
            "chromium-driver${version:+=$version}" >/dev/null) || chromium_failed
        for deb in "$tools"/apt/chromium/*.deb; do dpkg-deb -x "$deb" "$folder"; done
        rm -rf "$tools/apt/chromium"
    else
        unpack_debs "$folder" chromium chromium-driver fonts-dejavu-core
        mkdir -p "$folder/bin"
        chromium_wrapper "$folder/bin/chromium" chromium
    fi
    mkdir -p "$folder/bin"
    chromium_wrapper "$folder/bin/chromedriver" chromedriver
    rm -rf "$tools/chromium"
    mv "$folder" "$tools/chromium"
    chromium_there ||
        die "the unpacked browser does not start: $("$tools/chromium/bin/chromium" --version 2>&1 || true)" \
            "install Debian's chromium and chromium-driver, then run this again"
}

chromium_failed() {
    die "the Debian package chromium-driver could not be fetched" \
        "it has the version of the installed chromium: bring that up to date, check the network, remove .tools/apt, run again"
}

# Unpacked programs look for libraries and fonts in /; where the machine lacks them they are here.
chromium_wrapper() {
    local path=/usr/bin/chromedriver
    if [[ $2 == chromium ]]; then path=/usr/lib/chromium/chromium; fi
    cat >"$1" <<EOF
#!/bin/sh
here=\$(cd "\${0%/*}/.." && pwd)
libraries=\$here/usr/lib/x86_64-linux-gnu:\$here/lib/x86_64-linux-gnu
libraries=\$libraries:\$here/usr/lib/x86_64-linux-gnu/pulseaudio # which libpulse looks for by its path
if [ -d "\$here/etc/fonts" ]; then export FONTCONFIG_SYSROOT="\$here"; fi
LD_LIBRARY_PATH="\$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "\$here$path" "\$@"
EOF
    chmod +x "$1"
}
