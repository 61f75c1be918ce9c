#!/usr/bin/env bash
# Publishes strato-engine as a native program into out/Strato/bin. Says in one line when it falls back to net9.0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/packages.sh
need_packages gcc zlib1g-dev

log=out/aot/publish.log
target=out/Strato/bin/strato-engine
stamp=out/aot/inputs
mkdir -p out/aot out/Strato/bin

# Publishing takes half a minute and checks nothing before it: leave it out when no input changed.
inputs=$(find src/Strato.Engine src/Strato.Protocol Directory.*.props eng/engine.sh -type f | LC_ALL=C sort | xargs sha256sum | sha256sum)
if [ -x "$target" ] && [ "$inputs" = "$(cat "$stamp" 2>/dev/null)" ]; then
    exit 0
fi

# Without a dynamic linker to find, read and bind the C library the monitor starts sooner, and its memory holds only what it uses of it.
# Position independent all the same, so that it lies elsewhere each time.
static=true
if ! echo 'int main(void) { return 0; }' | gcc -static-pie -x c - -o out/aot/static 2>/dev/null || ! out/aot/static; then
    static=false
    echo "engine: no static C library here (Fedora has it in glibc-static); linking the shared one"
fi

publish() {
    dotnet publish src/Strato.Engine -c Release -r linux-x64 -p:PublishAot=true -p:EngineFramework="$1" -p:StaticExecutable=$static \
        -p:ArtifactsPath="$PWD/out/aot/$1" -v q -nologo -clp:NoSummary > "$log" 2>&1
}

framework=net10.0
if ! publish net10.0; then
    if ! grep -qE 'NU110[123]' "$log"; then
        cat "$log" >&2
        exit 1
    fi
    framework=net9.0
    echo "engine: the package feed lacks the net10.0 NativeAOT runtime pack; building for net9.0"
    publish net9.0 || { cat "$log" >&2; exit 1; }
fi

# A running engine keeps its file: replace it by rename instead of writing into it.
cp "out/aot/$framework/publish/Strato.Engine/release_linux-x64/strato-engine" "$target.new"
mv "$target.new" "$target"
printf '%s' "$inputs" > "$stamp"
