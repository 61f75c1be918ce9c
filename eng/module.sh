#!/bin/sh
# Assembles the PowerShell module in out/Strato (Strato.psd1, bin/, formats, types, help). The engine, bin/strato-engine, is
# published by build.sh and left alone here.
#
# Usage: eng/module.sh [CONFIGURATION]     (Release if omitted)
set -eu
cd "$(dirname "$0")/.."
configuration=${1:-Release}
module=out/Strato
staging=out/build/module

dotnet publish src/Strato.PowerShell/Strato.PowerShell.csproj -c "$configuration" -o "$staging" -v q -nologo -clp:NoSummary

mkdir -p "$module/bin"
for assembly in Strato.PowerShell Strato.Client Strato.Protocol; do
    # By rename: a PowerShell that has the old file loaded keeps it.
    for extension in dll pdb; do
        cp "$staging/$assembly.$extension" "$module/bin/.$assembly.$extension.new"
        mv "$module/bin/.$assembly.$extension.new" "$module/bin/$assembly.$extension"
    done
done
cp Strato.psd1 src/Strato.PowerShell/Formats/Strato.Format.ps1xml src/Strato.PowerShell/Formats/Strato.Types.ps1xml LICENSE "$module/"
rm -rf "$module/en-US"
cp -r en-US "$module/en-US"
