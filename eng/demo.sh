#!/usr/bin/env bash
# Shows Strato: the host's verdict, then a Debian guest through the cmdlets where guests run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/dotnet.sh
. eng/pwsh.sh

eng/build.sh
tests/Guest/image/build
echo
echo "== This host"
out/Strato/bin/strato-engine -probe || true
bench/first-run
echo
use_pwsh "the demo in PowerShell; the same cmdlet classes run in the cmdlet test host instead"
state=$(mktemp -d out/demo.XXXXXX)
trap 'rm -rf "$state"' EXIT
export STRATO_STATE=$PWD/$state/state

echo "== A Debian guest"
if [ -n "$pwsh" ]; then
    shell=
    [ -t 0 ] && [ -t 1 ] && shell=-Shell
    tests/Lab/lab -- "$pwsh" -NoProfile -File examples/demo.ps1 $shell
else
    dotnet build tests/CmdletHost/Demo -v q -nologo -clp:NoSummary
    tests/Lab/lab -- dotnet out/build/bin/Demo/debug/Strato.Demo.dll
fi
echo
echo "== Beside QEMU's microvm"
tests/Lab/lab -- bench/boot --rounds 2
