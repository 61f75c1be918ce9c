#!/usr/bin/env bash
# Shows Strato: the host's verdict, then a Debian guest through the cmdlets where guests run, then figures beside QEMU's microvm.
# On a terminal it ends inside the guest's shell (Ctrl-] leaves).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/dotnet.sh
. eng/packages.sh
. eng/pwsh.sh

eng/build.sh
tests/Guest/image/build
# The table beside QEMU is left out where it can't be had.
(need_packages qemu-system-x86) || echo "demo: without qemu-system-x86_64 the figures beside QEMU are left out"
use_pwsh "the demo in PowerShell; the same cmdlet classes run in the cmdlet test host instead"
[ -n "$pwsh" ] || dotnet build tests/CmdletHost/Demo -v q -nologo -clp:NoSummary

echo
echo "== This host"
code=0
out/Strato/bin/strato-engine -probe || code=$?
# 10 is a KVM that emulates: slow for a guest, and no matter for how soon its first instruction runs.
[ "$code" != 0 ] && [ "$code" != 10 ] || bench/run first

echo
echo "== A Debian guest"
if [ -n "$pwsh" ]; then
    interactive=
    [ -t 0 ] && [ -t 1 ] && interactive=-Interactive
    tests/Lab/lab -- "$pwsh" -NoProfile -File examples/demo.ps1 $interactive
else
    tests/Lab/lab -- eng/demo-in-test-host.sh
fi
