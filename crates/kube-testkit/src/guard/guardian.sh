# Runs one program and ends it when the process that asked for it is gone.
#
# usage: sh -c <this> guardian GRACE_TENTHS MARKS OUT ERR PROGRAM [ARG...]
#
# Standard input is a pipe whose other end only the parent holds: however the parent dies, even by SIGKILL, the pipe
# closes and the watcher below ends the program. Standard output tells the parent the pid and the exit status.
grace=$1 marks=$2 out=$3 err=$4
shift 4
mark=
if [ -n "$marks" ]; then
    mark=$marks/$$
    : >"$mark" || exit 70
fi
exec 3<&0
"$@" </dev/null >>"$out" 2>>"$err" 3<&- &
child=$!
echo "pid $child"
(
    while read -r _ <&3; do :; done
    if [ "$grace" -gt 0 ]; then
        # A stopped process acts on SIGTERM only once it runs again.
        kill -TERM "$child"
        kill -CONT "$child"
    fi
    tenths=0
    while [ "$tenths" -lt "$grace" ] && kill -0 "$child"; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
    kill -KILL "$child"
) >/dev/null 2>&1 &
# The parent may be gone when it is told how the program ended.
trap '' PIPE
wait "$child"
status=$?
[ -z "$mark" ] || rm -f "$mark"
echo "exit $status" 2>/dev/null
# Whatever the program has left behind is in this process group, and so are the watcher and this shell.
kill -KILL -$$
