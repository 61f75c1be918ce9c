#!/usr/bin/env bash
# Assembles the PowerShell module in out/Strato: manifest, assemblies, views, help. The engine, bin/strato-engine, is eng/engine.sh's.
#
# The assemblies are compiled ahead of time (ReadyToRun), which takes a third off the import; they stay portable. Where the feed lacks
# the compiler, they are left as they are, and one line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/dotnet.sh

module=out/Strato
log=out/module/publish.log
mkdir -p "$module/bin" out/module

# Folders of its own: restoring for a runtime would change the lock files' runtime-free graph.
publish() {
    dotnet publish src/Strato.PowerShell -c Release -p:ArtifactsPath="$PWD/out/module/$1" \
        "${@:2}" -v q -nologo -clp:NoSummary > "$log" 2>&1
}

products=out/module/r2r/publish/Strato.PowerShell/release_linux-x64
if ! publish r2r -r linux-x64 --self-contained false -p:PublishReadyToRun=true; then
    if ! grep -qE 'NU110[123]|NETSDK1094' "$log"; then
        cat "$log" >&2
        exit 1
    fi
    echo "module: the package feed lacks the ReadyToRun compiler; the module imports a little slower"
    publish il || { cat "$log" >&2; exit 1; }
    products=out/module/il/publish/Strato.PowerShell/release
fi

# By rename: a PowerShell that has the old file loaded keeps it.
put() {
    cp "$1" "$2/.${1##*/}.new"
    mv "$2/.${1##*/}.new" "$2/${1##*/}"
}
for assembly in Strato.PowerShell Strato.Client Strato.Protocol; do
    put "$products/$assembly.dll" "$module/bin"
    put "$products/$assembly.pdb" "$module/bin"
done
for file in Strato.psd1 src/Strato.Protocol/Configuration/strato-vm.schema.json src/Strato.PowerShell/Formats/Strato.*.ps1xml LICENSE; do
    put "$file" "$module"
done
mkdir -p "$module/en-US"
for file in en-US/*; do
    put "$file" "$module/en-US"
done
