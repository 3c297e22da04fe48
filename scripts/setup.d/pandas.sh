# pandas for the comparison of the table of results, in .tools/pandas and nowhere else.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

pandas=$tools/pandas
pandas_wants=$root/scripts/setup.d/pandas.txt

pandas_about() {
    echo "12 90 pandas from PyPI, for scripts/test alone"
}

# The list of requirements is copied last: a set-up that was cut short is not there.
pandas_there() {
    cmp -s "$pandas_wants" "$pandas/requirements.txt"
}

pandas_get() {
    step "installing pandas into .tools/pandas"
    rm -rf "$pandas" "$pandas.part"
    TMPDIR=$tools python3 -m pip install --no-cache-dir --disable-pip-version-check --quiet --no-deps \
        --no-warn-conflicts --root-user-action ignore --only-binary :all: --target "$pandas.part" \
        --find-links "$tools/downloads" --requirement "$pandas_wants" ||
        die "pandas could not be installed from PyPI" \
            "check the network and that python3 is 3.11 or newer, then run this again"
    cp "$pandas_wants" "$pandas.part/requirements.txt"
    mv "$pandas.part" "$pandas"
}
