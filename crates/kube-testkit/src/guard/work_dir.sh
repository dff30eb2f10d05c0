# Removes a directory when the process that asked for it is gone.
#
# usage: sh -c <this> work-dir DIR
#
# The programs that write into the directory are ended by guardians of their own, each of which keeps a mark in
# DIR/.guards while its program lives; so wait for the marks first, but not for ever: a guardian may have been killed.
dir=$1 keep= now=
while read -r line; do
    case $line in
    keep) keep=1 ;;
    now) now=1 ;;
    esac
done
[ -z "$keep" ] || exit 0
tenths=0
while [ -z "$now" ] && [ "$tenths" -lt 200 ] && [ -n "$(ls -A "$dir/.guards" 2>/dev/null)" ]; do
    sleep 0.1
    tenths=$((tenths + 1))
done
tenths=0
while [ "$tenths" -lt 50 ]; do
    rm -rf "$dir" 2>/dev/null
    [ -e "$dir" ] || exit 0
    sleep 0.1
    tenths=$((tenths + 1))
done
exit 1
