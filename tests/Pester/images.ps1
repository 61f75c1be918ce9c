# For tests that make guest images; dot-sourced in BeforeAll, after common.ps1. $kernel: a stock kernel and its modules, as parameters.
$kernel = @{}
$unpacked = "$RepoRoot/out/kernels/cloud-amd64"
if (Test-Path "$unpacked/boot") {
    $kernel = @{ Kernel = (Get-Item "$unpacked/boot/vmlinuz-*").FullName; ModulePath = (Get-Item "$unpacked/lib/modules/*").FullName }
}

# An OCI archive of busybox, as a builder of images makes one: two layers packed by gzip, whiteouts, a user.
function New-OciArchive([string] $Path) {
    $at = "$folder/oci"
    $null = New-Item -ItemType Directory "$at/blobs/sha256", "$folder/l1/bin", "$folder/l1/etc", "$folder/l1/srv", "$folder/l1/old", "$folder/l1/tmp", "$folder/l2/srv" -Force
    & /bin/chmod 1777 "$folder/l1/tmp"
    Copy-Item (Get-Command busybox).Source "$folder/l1/bin/busybox"
    foreach ($name in 'sh', 'cat', 'ls', 'id', 'sleep', 'reboot', 'wget', 'httpd', 'stat', 'dd', 'echo') { & /bin/ln -sf busybox "$folder/l1/bin/$name" }
    Set-Content "$folder/l1/etc/passwd" "root:x:0:0::/root:/bin/sh`nweb:x:1000:1000::/srv:/bin/sh"
    Set-Content "$folder/l1/old/file" gone
    Set-Content "$folder/l1/srv/index.html" below
    Set-Content "$folder/l2/srv/index.html" above -NoNewline
    Set-Content "$folder/l2/.wh.old" '' -NoNewline
    $diffs = @(); $layers = @()
    foreach ($layer in 'l1', 'l2') {
        & tar -C "$folder/$layer" --owner=0 --group=0 -cf "$folder/$layer.tar" .
        $diffs += 'sha256:' + (Get-FileHash "$folder/$layer.tar").Hash.ToLowerInvariant()
        & gzip -n "$folder/$layer.tar"
        $hash = (Get-FileHash "$folder/$layer.tar.gz").Hash.ToLowerInvariant()
        Move-Item "$folder/$layer.tar.gz" "$at/blobs/sha256/$hash"
        $layers += @{ mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip'; digest = "sha256:$hash" }
    }
    $add = {
        param($value)
        $json = ConvertTo-Json -Depth 10 -Compress $value
        $hash = [Convert]::ToHexString([Security.Cryptography.SHA256]::HashData([Text.Encoding]::UTF8.GetBytes($json))).ToLowerInvariant()
        [IO.File]::WriteAllText("$at/blobs/sha256/$hash", $json)
        "sha256:$hash"
    }
    $config = & $add @{ architecture = 'amd64'; os = 'linux'; rootfs = @{ type = 'layers'; diff_ids = $diffs }
        config = @{ Cmd = @('/bin/sh', '-c', 'echo from the image; id -u'); Env = @('PATH=/bin', 'GREETING=hello world'); WorkingDir = '/srv'; User = 'web' } }
    $manifest = & $add @{ schemaVersion = 2; config = @{ digest = $config }; layers = $layers }
    [IO.File]::WriteAllText("$at/index.json", (ConvertTo-Json -Depth 10 -Compress @{ manifests = @(@{ digest = $manifest; mediaType = 'application/vnd.oci.image.manifest.v1+json' }) }))
    [IO.File]::WriteAllText("$at/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    & tar -C $at -cf $Path oci-layout index.json blobs
}
