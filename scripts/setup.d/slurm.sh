# Slurm, unpacked and not installed, for the tests of the cluster.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

slurm_packages=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge)
# Its accounting, and the database below that.
slurm_packages+=(slurmdbd slurm-wlm-mysql-plugin mariadb-server-core mariadb-client-core)
# What those need that a bare Debian lacks.
slurm_libraries=(libmunge2 libhwloc15 libjson-c5 liblua5.1-0 libnuma1 libyaml-0-2 libdbus-1-3 libreadline8)
slurm_libraries+=(libmariadb3 libaio1 liburing2 libncurses6 libedit2 libbsd0 libmd0 libssl3 libpcre2-8-0)

slurm_about() {
    echo "15 85 Slurm from Debian, for tests only"
}

slurm_there() {
    [[ -x $tools/slurm/usr/sbin/slurmctld && -x $tools/slurm/usr/sbin/slurmdbd ]]
}

slurm_get() {
    local deb program folder=$tools/slurm.part
    step "fetching Slurm into .tools/slurm"
    prepare_apt
    rm -rf "$folder" "$tools/apt/slurm"
    mkdir -p "$folder" "$tools/apt/slurm"
    (cd "$tools/apt/slurm" && apt-get -c "$tools/apt/apt.conf" -qq download \
        "${slurm_packages[@]}" "${slurm_libraries[@]}" >/dev/null) ||
        die "the Debian packages of Slurm could not be fetched" \
            "check the network and /etc/apt/sources.list, remove .tools/apt, run scripts/setup again"
    for deb in "$tools"/apt/slurm/*.deb; do dpkg-deb -x "$deb" "$folder"; done
    # Debian's alternatives would make these links.
    for program in slurmctld slurmd slurmstepd; do
        ln -s "$program-wlm" "$folder/usr/sbin/$program"
    done
    rm -rf "$tools/slurm" "$tools/apt/slurm"
    mv "$folder" "$tools/slurm"
}
