#!/usr/bin/env bash
# Makes the module's help files, en-US/, of docs/cmdlets/*.md and docs/about/*.md, after bringing their syntax and tables up to date with the cmdlets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/dotnet.sh
dotnet run --project eng/Help -- update docs/cmdlets
dotnet run --project eng/Help --no-build -- build docs/cmdlets docs/about en-US
