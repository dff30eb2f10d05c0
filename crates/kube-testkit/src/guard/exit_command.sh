# Runs one command when the process that asked for it is gone, unless that process says first that it is not needed.
#
# usage: sh -c <this> exit-command PROGRAM [ARG...]
while read -r line; do
    [ "$line" != "not needed" ] || exit 0
done
exec "$@" >/dev/null 2>&1
