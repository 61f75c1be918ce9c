#!/usr/bin/env bash
# The demo's guest through the cmdlet test host, on a copy of the guest's disk. Runs in the lab.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export STRATO_STATE=$folder/state STRATO_RUNTIME=$folder/run STRATO_ENGINE=$PWD/out/Strato/bin/strato-engine
cp --sparse=always out/guest/rootfs.ext4 "$folder/disk.ext4"
dotnet out/build/bin/Demo/debug/Strato.Demo.dll out/guest "$folder/disk.ext4"
if command -v qemu-system-x86_64 > /dev/null; then
    echo "One boot of Strato's engine, and one of QEMU's microvm with the same kernel, initrd and memory:"
    bench/run table
fi
