# shellcheck shell=bash
# Sourced by every step that needs the .NET SDK: names it where it is missing, for Debian has no package of it.
if ! command -v dotnet > /dev/null; then
    echo "The .NET 10 SDK is missing: https://learn.microsoft.com/dotnet/core/install/linux tells how to install it; then dotnet must be on PATH." >&2
    exit 1
fi
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
