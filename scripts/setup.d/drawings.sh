# Art4Apps: 585 JPEG drawings in folders of 12 classes, for the tests of data in folders.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

drawings=$root/data/art4apps
drawings_says="data/art4apps: 585 drawings of 12 classes (Debian package pysiogame, CC BY-SA 3.0)"

drawings_about() {
    echo "16 6 $drawings_says"
}

drawings_there() {
    (($(find "$drawings" -name '*.jpg' 2>/dev/null | wc -l) == 585))
}

# The package alone: what it needs to run is of no use here.
drawings_get() {
    step "fetching the drawings of Art4Apps"
    prepare_apt
    rm -rf "$tools/apt/drawings"
    mkdir -p "$tools/apt/drawings"
    (cd "$tools/apt/drawings" && apt-get -c "$tools/apt/apt.conf" -qq download pysiogame >/dev/null) ||
        die "the Debian package pysiogame could not be fetched" \
            "check the network and /etc/apt/sources.list, remove .tools/apt, run scripts/setup again"
    dpkg-deb -x "$tools"/apt/drawings/pysiogame_*.deb "$tools/apt/drawings"
    rm -rf "$drawings"
    mkdir -p "$root/data"
    mv "$tools/apt/drawings/usr/share/games/pysiogame/res/images/art4apps" "$drawings"
    drawings_there || die "data/art4apps is not the drawings that the tests know" \
        "the Debian package has changed; please report it"
    echo "$drawings_says"
}
