#!/usr/bin/env bash
# Builds, tests and shows Strato. The steps are in eng/; build.ps1 runs the same ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'TEXT'
usage: ./build.sh TASK

  build              the engine (native) and the module, in out/Strato
  test               everything .ci/run runs; "test unit" only what needs no lab, "test --long" soaks, repetitions and fuzzing too
  demo               boots a Debian guest and shows it; ends inside the guest's shell on a terminal (Ctrl-] leaves)
  guest [debian|no-acpi]
                     the guest images that tests and demo use, in out/guest
  lab [--] COMMAND   runs a command where stock guests run: here, or in the virtual KVM host
  bench              the figures of docs/performance.md, measured here
  help-files         en-US/ from docs/cmdlets/
  clean              removes out/

What is missing is installed on a Debian machine as root, and named elsewhere.
TEXT
}

task=${1:-}
[ $# -gt 0 ] && shift
case "$task" in
    build) exec eng/build.sh "$@" ;;
    test) exec eng/test.sh "$@" ;;
    demo) exec eng/demo.sh "$@" ;;
    guest) exec tests/Guest/image/build "$@" ;;
    lab) exec tests/Lab/lab "$@" ;;
    bench) exec bench/run "$@" ;;
    help-files) exec eng/help.sh "$@" ;;
    clean) rm -rf out ;;
    -h | --help | help | "") usage ;;
    *)
        echo "build.sh: unknown task '$task'; tasks are build, test, demo, guest, lab, bench, help-files, clean" >&2
        exit 2
        ;;
esac
