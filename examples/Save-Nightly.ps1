<#
.SYNOPSIS
Copies the disks and definitions of VMs into a folder of the day, and keeps the newest ones.
.DESCRIPTION
A running VM is held while its disks are copied, which takes no time on file systems that share blocks (XFS, Btrfs), and goes on afterwards,
whatever happens. The copy is what a power cut would leave; with -Sync the guest's agent first has it write out what it has in memory. A night that fails leaves nothing behind but its
error. Emits one object a disk.
.PARAMETER Path
The folder; each run makes one below it, named by date and time.
.PARAMETER Keep
How many runs are kept.
.EXAMPLE
./Save-Nightly.ps1 web*, db -Path /srv/backup -Keep 14 -Sync
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)] [SupportsWildcards()] [string[]] $Name,
    [Parameter(Mandatory)] [string] $Path,
    [ValidateRange(1, 10000)] [int] $Keep = 7,
    [switch] $Sync
)
$ErrorActionPreference = 'Stop'
$vms = @(Get-StratoVm $Name)
# A night without a VM would push out one that has them.
if (-not $vms) { throw "No VM is named $($Name -join ', '), so nothing was copied and no older copy removed." }
$null = New-Item -ItemType Directory -Path $Path -Force
$Path = (Resolve-Path -LiteralPath $Path).ProviderPath
$night = Join-Path $Path (Get-Date -Format 'yyyyMMdd-HHmmss')
$making = "$night.partial"
$null = New-Item -ItemType Directory -Path $making
$whole = $false
try {
    $copies = foreach ($vm in $vms) {
        $vm | ConvertTo-Json -Depth 4 | Set-Content -LiteralPath (Join-Path $making "$($vm.Id).json")
        $held = $false
        try {
            if ($vm.State -eq 'Running') {
                if ($Sync) {
                    $result = $vm | Invoke-StratoGuestCommand 'sync' -Timeout 60
                    if ($result.ExitCode -ne 0) { throw "sync failed in $($vm.Name): $($result.StandardError)" }
                }
                $vm | Suspend-StratoVm
                $held = $true
            }
            foreach ($drive in $vm | Get-StratoDrive | Where-Object { -not $_.ReadOnly -and -not $_.Snapshot }) {
                $copy = Join-Path $making "$($vm.Id)-$($drive.Id)$([System.IO.Path]::GetExtension($drive.Path))"
                # cp shares blocks where it can, and leaves holes.
                & cp --reflink=auto --sparse=always -- $drive.Path $copy
                if ($LASTEXITCODE -ne 0) { throw "cp of '$($drive.Path)' failed ($LASTEXITCODE)." }
                [pscustomobject]@{ VMName = $vm.Name; Drive = $drive.Id; Path = $copy.Replace($making, $night); Size = $drive.Size }
            }
        }
        finally {
            if ($held) { $vm | Resume-StratoVm }
        }
    }
    Rename-Item -LiteralPath $making (Split-Path -Leaf $night)
    $whole = $true
}
finally {
    # Also at Ctrl-C.
    if (-not $whole) { Remove-Item -LiteralPath $making -Recurse }
}
$copies
Get-ChildItem -LiteralPath $Path -Directory | Where-Object Name -Match '^\d{8}-\d{6}$' | Sort-Object Name -Descending |
    Select-Object -Skip $Keep | Remove-Item -Recurse
