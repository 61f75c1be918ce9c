#!/usr/bin/env bash
# Runs the demo in pwsh and puts what it prints between the transcript marks of README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/dotnet.sh
. eng/pwsh.sh
eng/build.sh
tests/Guest/image/build
use_pwsh "the transcript"
[ -n "$pwsh" ] || exit 1
text=$(mktemp)
trap 'rm -f "$text"' EXIT
# Colours are left out, and so are this machine's folders.
{
    echo "== This host"
    out/Strato/bin/strato-engine -probe || true
    bench/run first
    echo
    echo "== A Debian guest"
    NO_COLOR=1 tests/Lab/lab -- "$pwsh" -NoProfile -File examples/demo.ps1 < /dev/null
} |
    sed -e 's/\x1b\[[0-9;?]*[a-zA-Z]//g' -e "s#$PWD#~/strato#g" -e 's/[[:space:]]*$//' | cat -s > "$text"
awk -v text="$text" '
    /^<!-- transcript/ { print; print "```"; while ((getline line < text) > 0) print line; print "```"; skip = 1; next }
    /^<!-- \/transcript/ { skip = 0 }
    !skip' README.md > README.md.new
mv README.md.new README.md
