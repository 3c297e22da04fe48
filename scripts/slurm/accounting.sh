# Slurm's accounting: slurmdbd over a private MariaDB that listens on a socket only. Sourced by scripts/slurm/up.
# shellcheck shell=bash
: "${BASE:?}" "${ME:?}" "${PORT:?}" "${SOCK:?}" "${CLEAN:?}"

DB=$BASE/mysql MS=$BASE/run/mysql.sock WHERE=()
[ -z "$UNPACKED" ] || WHERE=("--basedir=$UNPACKED/usr")
mkdir -p "$DB"; chmod 700 "$DB"
[ -d "$DB/mysql" ] || mariadb-install-db --no-defaults "${WHERE[@]}" --user="$ME" --datadir="$DB" \
    --auth-root-authentication-method=socket --skip-test-db >"$BASE/log/mariadb-install.log" 2>&1 9>&- ||
    die "mariadb-install-db failed (see $BASE/log)"
if ! alive "$BASE/run/mariadbd.pid"; then
    rm -f "$BASE/run/mariadbd.pid" "$MS"
    ( cd / && exec setsid mariadbd --no-defaults "${WHERE[@]}" --user="$ME" --datadir="$DB" --socket="$MS" \
        --skip-networking --pid-file="$BASE/run/mariadbd.pid" --innodb-buffer-pool-size=64M \
        --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0 --log-error="$BASE/log/mariadbd.log" \
        </dev/null >>"$BASE/log/mariadbd.out" 2>&1 9>&- & )
fi
wait_for 60 mariadbd mariadb --no-defaults -S "$MS" -e 'select 1'
mariadb --no-defaults -S "$MS" -e 'create database if not exists slurm_acct_db'
(umask 077; cat >"$BASE/etc/slurmdbd.conf" <<CONF
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((PORT+1))
SlurmUser=$ME
$PLUGINS
AuthType=auth/munge
AuthInfo=socket=$SOCK
PidFile=$BASE/run/slurmdbd.pid
LogFile=$BASE/log/slurmdbd.log
DebugLevel=info
StorageType=accounting_storage/mysql
StorageUser=$ME
StorageLoc=slurm_acct_db
CommitDelay=1
CommunicationParameters=NoInAddrAny
CONF
)
if ! alive "$BASE/run/slurmdbd.pid"; then
    rm -f "$BASE/run/slurmdbd.pid"
    # The client library of MariaDB finds the private socket through MYSQL_UNIX_PORT.
    spawn "$BASE/log/slurmdbd.out" $CLEAN MYSQL_UNIX_PORT="$MS" slurmdbd
fi
wait_for 60 slurmdbd timeout 5 sacctmgr -n show cluster
