#!/usr/bin/env bash
# The tests of tests/Guest with the published engine: those that any machine can run are run here, and those that boot a
# guest in the lab. Ends with "N passed, N failed, N skipped" over all.
#   eng/guest-tests.sh [XUNIT-FILTER…]     for example -class '*.DiskTests'
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/packages.sh
. eng/dotnet.sh

tests=out/build/bin/Guest/debug/Strato.Tests.Guest.dll
results=$PWD/out/test/guest
mkdir -p "$results"

need_packages passt iperf3
need_virtiofsd
eng/engine.sh && tests/Guest/image/build && dotnet build tests/Guest -v q -nologo -clp:NoSummary || exit
tests/Guest/image/build debian || echo "guest: there is no Debian root; the tests that need one are skipped"

[ "${STRATO_LONG:-0}" != 1 ] || tests/Guest/image/build no-acpi || exit

# Repetitions take as long as they take; the limit is only against a test that hangs.
limit=2400
[ "${STRATO_LONG:-0}" != 1 ] || limit=7200

parts=()
run() { # run NAME COMMAND…: its output in a file and here, each line with the name, less what is skipped or only starts
    local name=$1
    shift
    STRATO_LAB_OUT=${STRATO_LAB_OUT:+$STRATO_LAB_OUT/$name} "$@" 2>&1 < /dev/null | tee "$results/$name.log" |
        sed -u "/\[STARTING\]\$/d; /\[SKIP\]\$/{ N; d }; s/^/$name: /"
}
lab() { # lab NAME XUNIT-FILTER…: one guest at a time, for software CPUs are slow
    local name=$1
    shift
    run "$name" tests/Lab/lab --timeout $limit -- \
        dotnet "$tests" -noLogo -noColor -reporter verbose -maxThreads 1 -trait- Where=anywhere "$@"
}

# "both" is what a machine may refuse and the lab allows: loop devices, for example.
parts+=(here)
run here dotnet "$tests" -noLogo -noColor -trait Where=anywhere -trait Where=both "$@"

# The virtual KVM host has one CPU. Where the machine has more, and memory, two such hosts share the classes: the first takes
# those named here, which are half of the time, the second all others.
first=() others=()
for class in Reset Device RootDisk ElfKernel NoAcpiKernel Fio HugePage Seed000 Seed001 Seed003 Soak CpuHotPlug; do
    first+=(-class "*.${class}Tests")
    others+=(-class- "*.${class}Tests")
done
memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
if [ $# = 0 ] && [ "$(nproc)" -ge 2 ] && [ "$memory" -ge 15000 ] && [ "$(tests/Lab/lab --mode)" = virtual ]; then
    parts+=(lab-1 lab-2)
    tests/Lab/lab true || exit # prepares what both need
    lab lab-1 "${first[@]}" &
    lab lab-2 "${others[@]}"
    wait
else
    parts+=(lab)
    lab lab "$@"
fi

# A software CPU on a busy machine stops a guest for seconds at a time, and a test may take that for a fault. So up to three
# that failed there are run once more, alone; both outcomes are told, and one that fails again has failed. Not in the long
# run, whose results are proofs.
forgiven=0
if [ "${STRATO_LONG:-0}" != 1 ] && [ "$(tests/Lab/lab --mode)" = virtual ]; then
    mapfile -t failures < <(for part in "${parts[@]:1}"; do
        grep -aE '^ +Strato\.Tests\.Guest\.[^ ]+.* \[FAIL\]$' "$results/$part.log"
    done)
    told=$(for part in "${parts[@]:1}"; do
        grep -aoE 'Errors: [0-9]+, Failed: [0-9]+' "$results/$part.log" | tail -n 1
    done | awk -F'[:, ]+' '{ sum += $2 + $4 } END { print sum + 0 }')
    if [ "$told" -gt 0 ] && [ "$told" -le 3 ] && [ ${#failures[@]} -eq "$told" ]; then
        mapfile -t methods < <(printf '%s\n' "${failures[@]}" | sed -E 's/^ +([^ (]+).*/\1/' | sort -u)
        filters=()
        for method in "${methods[@]}"; do filters+=(-method "$method"); done
        lab again "${filters[@]}"
        seen=0
        for method in "${methods[@]}"; do
            ! grep -aqF "$method" <(grep -aF '[FINISHED]' "$results/again.log") || seen=$((seen + 1))
        done
        if [ $seen = ${#methods[@]} ] && grep -aqE 'Errors: 0, Failed: 0, Skipped: 0' "$results/again.log"; then
            forgiven=$told
            printf 'unsteady, failed at first and passed when run again:%s\n' "${failures[@]/\[FAIL\]/}"
        fi
    fi
fi

# A run that ended without its summary (a time limit, a crash) is a failure, and so is a run of the lab in which nothing
# passed, for it has shown nothing; unless a filter has left it no test at all.
for part in "${parts[@]}"; do
    grep -aoE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$results/$part.log" | tail -n 1 | grep . ||
        { echo "$part: ended without a result" >&2; echo 'Total: 1, Errors: 1, Failed: 0, Skipped: 0'; }
done | awk -F'[:, ]+' -v filters=$# -v forgiven=$forgiven '
    { here = $2 - $4 - $6 - $8; skipped += $8 }
    { passed += here; failed += $4 + $6 }
    NR > 1 && here == 0 && ($2 > 0 || filters == 0) { print "no test has passed in the lab"; failed++ }
    END { passed += forgiven; failed -= forgiven; print passed " passed, " failed " failed, " skipped " skipped"; exit failed > 0 }'
