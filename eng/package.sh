#!/usr/bin/env bash
# Packs the built module, engine included, as out/Strato-VERSION.tar.gz: unpack it into a folder of $env:PSModulePath.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
eng/build.sh
version=$(sed -n "s/^ *ModuleVersion *= *'\(.*\)'.*/\1/p" Strato.psd1)

# Readable for all whatever the builder's umask, for it may be unpacked for all users; without what an interrupted build left.
tar -C out --owner=0 --group=0 --mode='u=rwX,go=rX' --sort=name --exclude='*.new' \
    -czf "out/Strato-$version.tar.gz" Strato
echo "packed out/Strato-$version.tar.gz"
