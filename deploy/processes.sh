# What the commands of deploy/ share: they build the gateway, start processes, wait until each answers,
# and end all of them by process id, whatever happens. For bash; sourced by a command that has set
#
#   command   its name, before what it says
#   stages    how its processes end: names, those that end together in one word, the first word first
#
# and is in the root of the checkout from then on. A folder named in `scratch` is removed in the end.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
build=build
gatehouse=$build/gateway/gatehouse
python=/usr/bin/python3  # Debian's own, which has the websockets package
scratch=
declare -A pid_of=()

say() { echo "$command: $*"; }
fail() {
  say "$@" >&2
  exit 1
}

# build_gateway LIST...: with the Debian packages of deploy/packages and of those lists.
build_gateway() {
  local log=build-logs/$command.log
  say "looking for the packages it needs"
  deploy/install_missing deploy/packages "$@"
  say "building in $build (the first time takes a few minutes)"
  mkdir -p build-logs
  if [ ! -e "$build/build.ninja" ]; then
    meson setup "$build" > "$log" 2>&1 || { cat "$log" >&2; exit 1; }
  fi
  ninja -C "$build" gateway/gatehouse > "$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

# ports_near PORT...: each of them if it is free, else any free one; all on one line.
ports_near() {
  "$python" - "$@" <<'PYTHON'
import contextlib, socket, sys
with contextlib.ExitStack() as all_held:
    found = []
    for wanted in sys.argv[1:]:
        for port in (int(wanted), 0):
            probe = all_held.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(probe.getsockname()[1])
            break
print(*found)
PYTHON
}

# start NAME COMMAND...
start() {
  local name=$1
  shift
  "$@" &
  pid_of[$name]=$!
}

# answers NAME COMMAND...: waits until the command succeeds, or the process has gone.
answers() {
  local name=$1
  shift
  for _ in $(seq 200); do
    "$@" > /dev/null 2>&1 && return
    kill -0 "${pid_of[$name]}" 2> /dev/null || break
    sleep 0.05
  done
  fail "$name did not start"
}

accepts_on() { bash -c "exec 3<> /dev/tcp/127.0.0.1/$1"; }

# await_end PID: not by `wait`, which bash may never end for a process whose end it saw as the trap
# interrupted another `wait`: Ctrl-C ends several at once.
await_end() {
  for _ in $(seq 200); do
    kill -0 "$1" 2> /dev/null || return 0
    sleep 0.05
  done
  kill -KILL "$1" 2> /dev/null || true
}

end() {
  trap '' INT TERM
  trap - EXIT
  local status=$1 stage name
  for stage in "${stages[@]}"; do
    for name in $stage; do
      [ -z "${pid_of[$name]:-}" ] || kill -TERM "${pid_of[$name]}" 2> /dev/null || true
    done
    for name in $stage; do
      [ -z "${pid_of[$name]:-}" ] || await_end "${pid_of[$name]}"
    done
  done
  [ -z "$scratch" ] || rm -rf "$scratch"
  say "ended"
  exit "$status"
}
trap 'end 0' INT TERM
trap 'end 1' EXIT
