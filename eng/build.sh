#!/usr/bin/env bash
# Builds the engine and the module into out/Strato.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/dotnet.sh
eng/engine.sh
eng/module.sh
echo "built out/Strato/Strato.psd1 (Import-Module ./out/Strato/Strato.psd1) and out/Strato/bin/strato-engine"
