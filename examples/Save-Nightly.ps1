<#
.SYNOPSIS
Saves running VMs with their disks, and keeps the newest of these snapshots.
.DESCRIPTION
Each VM is held while it is saved, for an instant where the file system shares blocks (XFS, Btrfs), and goes on afterwards, whatever happens. Memory and disks
are of one moment; with -Sync the guest's agent first has it write out what it has in memory, so that the disks are good by themselves, too. A VM that is stopped has nothing to save and is left out with a
warning. One that fails is an error, and of it no older snapshot is removed; the others are saved all the same. Emits the snapshots.
.PARAMETER Path
A folder on another disk, say: each snapshot is exported there as well, and the newest are kept.
.PARAMETER Keep
How many are kept of each VM.
.EXAMPLE
./Save-Nightly.ps1 web*, db -Keep 14 -Sync -Path /mnt/backup
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)] [SupportsWildcards()] [string[]] $Name,
    [ValidateRange(1, 10000)] [int] $Keep = 7,
    [string] $Path,
    [switch] $Sync
)
$stamp = Get-Date -Format 'yyyyMMdd-HHmmss'
$vms = @(Get-StratoVm $Name -ErrorAction Stop)
if (-not $vms) { throw "No VM is named $($Name -join ', '), so nothing was saved." }
if ($Path) {
    $null = New-Item -ItemType Directory -Path $Path -Force -ErrorAction Ignore
    if (-not (Test-Path $Path -PathType Container)) { throw "'$Path' is no folder, so nothing was saved." }
    $Path = (Resolve-Path -LiteralPath $Path).ProviderPath
}
foreach ($vm in $vms) {
    if ($vm.State -notin 'Running', 'Paused') {
        Write-Warning "The VM '$($vm.Name)' is $($vm.State.ToLower()): there is nothing to save."
        continue
    }
    try {
        if ($Sync -and $vm.State -eq 'Running') {
            $result = $vm | Invoke-StratoGuestCommand 'sync' -Timeout 60 -ErrorAction Stop
            if ($result.ExitCode -ne 0) { throw "sync failed in $($vm.Name): $($result.StandardError)" }
        }
        $snapshot = $vm | Save-StratoSnapshot -Name "nightly-$stamp" -IncludeDisk -PassThru -ErrorAction Stop
        if ($Path) { $snapshot | Export-StratoSnapshot -Path (Join-Path $Path "$($vm.Id)-$stamp") -ErrorAction Stop }
    }
    catch {
        Write-Error -ErrorRecord $_
        continue
    }
    $snapshot
    Get-StratoSnapshot -VM $vm 'nightly-*' | Sort-Object Name -Descending | Select-Object -Skip $Keep | Remove-StratoSnapshot -Force
    if ($Path) {
        Get-ChildItem -LiteralPath $Path -Directory | Where-Object Name -Match "^$($vm.Id)-\d{8}-\d{6}$" | Sort-Object Name -Descending |
            Select-Object -Skip $Keep | Remove-Item -Recurse
    }
}
