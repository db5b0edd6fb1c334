# A PostgreSQL server for one test process, as a user it runs as; `sh postgres.sh BIN`. It says where its socket is, does what it is told line by
# line, and ends with what it made when nobody tells it anything any more: when the test process is gone, however that ended.
set -eu
bin=$1
cluster=/tmp/ecr-gate-tests-postgres-1-$(id -u) # with the number of what is done to it below
folder=
pid=
finish() {
  [ -z "$pid" ] || { kill -CONT "$pid" && kill -QUIT "$pid" && children | xargs -r kill -CONT; wait "$pid"; } 2>/dev/null || true
  [ -z "$folder" ] || rm -rf "$folder"
}
trap finish EXIT
trap '' HUP INT TERM

# An empty cluster is made once and copied: that is faster than making one. Its order of text is not that of bytes, so that a test finds out
# where the schema relies on one.
exec 9>"$cluster.lock"
flock 9
if [ ! -e "$cluster/PG_VERSION" ] || [ ! -e "$cluster.complete" ]; then
  rm -rf "$cluster"
  "$bin/initdb" -D "$cluster" -U postgres -A trust -N -E UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US \
    --wal-segsize=1 >/dev/null
  # What no test needs is not copied.
  printf "%s\n" "UPDATE pg_database SET datistemplate = false WHERE datname = 'template1'" "DROP DATABASE template1" |
    "$bin/postgres" --single -D "$cluster" -c fsync=off postgres >/dev/null
  touch "$cluster.complete"
fi
folder=$(mktemp -d /tmp/ecr-gate-tests-postgres.XXXXXX)
cp -a "$cluster" "$folder/data"
flock -u 9
exec 9>&-

start() {
  # A crash of the machine is not what is tested: without fsync everything else is as it is.
  "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c max_connections=60 \
    -c shared_buffers=16MB -c autovacuum=off >>"$folder/log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 200); do
    ! "$bin/pg_isready" -q -h "$folder" -U postgres || return 0
    sleep 0.05
  done
  cat "$folder/log" >&2
  exit 1
}

children() {
  cat "/proc/$pid/task/$pid/children"
}

start
echo "$folder"
exec 2>/dev/null # the test process must not look alive through us
while read -r word; do
  case $word in
    stop) kill -INT "$pid"; wait "$pid" || true; pid= ;;
    crash) kill -QUIT "$pid"; wait "$pid" || true; pid= ;;
    start) start ;;
    # All of it: connections have a process each.
    pause) kill -STOP "$pid"; children | xargs -r kill -STOP || true ;;
    resume) children | xargs -r kill -CONT || true; kill -CONT "$pid" ;;
  esac
  echo "$word"
done
