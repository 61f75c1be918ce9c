#!/usr/bin/env bash
# Everything that must pass. Ends with "N passed, N failed, N skipped" over all suites.
#   eng/test.sh           all
#   eng/test.sh unit      what needs neither KVM nor a guest image
#   eng/test.sh --long    soaks, repetitions and fuzzing as well
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/packages.sh
. eng/dotnet.sh
. eng/pwsh.sh

scope=all
export STRATO_LONG=${STRATO_LONG:-0}
for word; do
    case "$word" in
        unit) scope=unit ;;
        --long) STRATO_LONG=1 ;;
        *) echo "test: unknown argument '$word'; allowed are unit and --long" >&2; exit 2 ;;
    esac
done

results=$PWD/out/test
rm -rf "$results"
mkdir -p "$results"
passed=0 failed=0 skipped=0 losers=

# count SUITE PASSED FAILED SKIPPED: adds a suite's figures to the sum.
count() {
    [ "$3" = 0 ] || losers="$losers $1"
    echo "$1: $2 passed, $3 failed, $4 skipped"
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
}

# suite NAME COMMAND…: runs a suite; its figures are its last line "N passed, N failed, N skipped" or xunit's summary.
# A suite that fails without saying how many of its tests did counts as one failure.
suite() {
    local name=$1 log="$results/$1.log" code line
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    line=$(grep -aoE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$log" | tail -n 1)
    if [ -z "$line" ]; then
        line=$(grep -aoE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$log" | tail -n 1 |
            awk -F'[:, ]+' '{print $2-$4-$6-$8 " passed, " $4+$6 " failed, " $8 " skipped"}')
    fi
    if [ -z "$line" ]; then
        line="0 passed, 1 failed, 0 skipped"
        echo "$name: no result (exit code $code)"
    elif [ "$code" -ne 0 ] && [ "$(awk '{print $3}' <<< "$line")" = 0 ]; then
        line="$(awk '{print $1}' <<< "$line") passed, 1 failed, $(awk '{print $5}' <<< "$line") skipped"
        echo "$name: every test passed, but the suite ended with exit code $code"
    fi
    read -r p _ f _ s _ <<< "$line"
    count "$name" "$p" "$f" "$s"
}

# step NAME COMMAND…: a check that is one test.
step() {
    local name=$1
    shift
    if "$@" > "$results/$name.log" 2>&1; then
        count "$name" 1 0 0
    else
        cat "$results/$name.log"
        count "$name" 0 1 0
    fi
}

# What failed, once more and at the end, where a reader of a long log looks first: xunit's cases up to the next line that
# stands as far left, Pester's lines of failed tests and the next ones, and the lab's checks.
failures() {
    local log
    for log in $losers; do
        log="$results/$log.log"
        case "$log" in
            */guest.log) find "$results/guest" -name '*.log' ;;
            *) echo "$log" ;;
        esac
    done | xargs -r awk '
        FNR == 1 { show = 0 }
        { line = $0; gsub(/\033\[[0-9;]*m/, "", line) }
        line ~ /\[FAIL\]/ { show = 40; indent = match(line, /[^ ]/); print FILENAME ":" }
        line ~ /^ *\[-\]|^FAIL / { show = 8; indent = 0; print FILENAME ":" }
        show > 0 && line !~ /\[FAIL\]/ && indent > 0 && match(line, /[^ ]/) <= indent { show = 0 }
        show-- > 0 { print line }' | sed "s|^$PWD/||"
}

finish() {
    [ "$failed" -eq 0 ] || { echo && echo "== failed:$losers" && failures; }
    echo
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

# The packed module as others get it, made by one whose umask shuts them out.
check_archive() {
    local archive modes
    (umask 077 && eng/package.sh) || return
    chmod -R go=rX out/Strato
    archive=$(ls -t out/Strato-*.tar.gz | head -n 1)
    modes=$(tar -tzvf "$archive" | awk '{print $1, $NF}') || return
    echo "$modes"
    ! grep -vE '^(drwxr-xr-x .*/|-rw-r--r-- .*|-rwxr-xr-x Strato/bin/strato-engine)$' <<< "$modes" &&
        grep -q ' Strato/bin/strato-engine$' <<< "$modes" && grep -q ' Strato/Strato.psd1$' <<< "$modes"
}

step build dotnet build Strato.slnx -v q -nologo -clp:NoSummary
[ "$failed" -eq 0 ] || finish
step format dotnet format Strato.slnx --no-restore --verify-no-changes
step package eng/build.sh
step archive check_archive
[ "$failed" -eq 0 ] || finish
(need_packages passt nftables dnsmasq-base && need_virtiofsd) # without them, tests of user networking, switches and shared folders are skipped
suite unit dotnet out/build/bin/Unit/debug/Strato.Tests.Unit.dll -noLogo -noColor -longRunning 60
use_pester "the Pester suites"
if [ -n "$pwsh" ]; then
    (need_packages tmux) # the console's tests type into a terminal
    suite pester "$pwsh" -NoProfile -NonInteractive -File tests/Pester/run.ps1 -ExcludeTag Kvm,Slow
fi
if [ "$STRATO_LONG" != 0 ]; then
    [ -z "$pwsh" ] || suite pester-slow "$pwsh" -NoProfile -NonInteractive -File tests/Pester/run.ps1 -Tag Slow
    suite fuzz dotnet out/build/bin/Fuzz/debug/Strato.Tests.Fuzz.dll --seconds 60
fi
if [ "$scope" = all ]; then
    step guest-image tests/Guest/image/build
    [ "$STRATO_LONG" = 0 ] || suite guest-image-long tests/Guest/image/test.sh
    suite lab tests/Lab/test.sh
    suite guest eng/guest-tests.sh
    if [ -n "$pwsh" ]; then
        suite pester-kvm tests/Lab/lab --timeout 3000 -- "$pwsh" -NoProfile -NonInteractive -File tests/Pester/run.ps1 -Tag Kvm
    fi
fi
finish
