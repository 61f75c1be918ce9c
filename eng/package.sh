#!/usr/bin/env bash
# Packs the built module, engine included, as out/Strato-VERSION.tar.gz: unpack it into a folder of $env:PSModulePath.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
eng/build.sh
version=$(sed -n "s/^ *ModuleVersion *= *'\(.*\)'.*/\1/p" Strato.psd1)
tar -C out --owner=0 --group=0 -czf "out/Strato-$version.tar.gz" Strato
echo "packed out/Strato-$version.tar.gz"
