#!/bin/sh
# Runs the test program FOLDER/run, by way of COMMAND if given, and prints its last line and its ten slowest tests; what it
# printed otherwise (FOLDER/log) only when a test fails.
#
#   tests/run_tests.sh FOLDER [COMMAND ...]      TEST_OPTIONS: options of the test program
set -u

folder=$1
shift
"$@" "$folder/run" ${TEST_OPTIONS:-} --tap="$folder/tap" > "$folder/log" 2>&1 < /dev/null
status=$?
# A leak is found when a test's process ends, after it has passed.
[ "$status" -ne 0 ] || ! grep -q 'LeakSanitizer: detected memory leaks' "$folder/log" || status=1
[ "$status" -eq 0 ] || cat "$folder/log"

# ok - suite::name  (0.52s)
echo "$folder/run, the ten slowest:"
sed -n 's/^\(not \)\{0,1\}ok - \([^ ]*\) .*(\([0-9.]*\)s)$/\3 \2/p' "$folder/tap" | sort -rn | head -10 |
    awk '{ printf "%9.2f s  %s\n", $1, $2 }'
sed -n 's/^ok - \([^ ]*\)  *# SKIP\(.*\)/  skipped: \1\2/p' "$folder/tap"
if [ "$status" -eq 0 ]; then
    tail -n 1 "$folder/log"
else
    echo "$folder/run: exit status $status; its whole output is in $folder/log"
fi
exit "$status"
