<#
.SYNOPSIS
Boots a VM several times and tells how long it takes until its console says that it is up.
.DESCRIPTION
The VM has to be stopped, and is stopped again. Its disks are left as they are where they are with -Snapshot (Set-StratoDrive). Emits one object: seconds at the
fastest, in the middle and at the slowest, each boot, and the memory that the host had to find for the last one.
.EXAMPLE
./Measure-BootTime.ps1 web -Count 10
.EXAMPLE
'old', 'new' | ForEach-Object { ./Measure-BootTime.ps1 $_ } | Format-Table
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)] [string] $Name,
    [ValidateRange(1, 1000)] [int] $Count = 5,
    [string] $Ready = 'login:',
    [int] $Timeout = 120
)
$ErrorActionPreference = 'Stop'
$vm = Get-StratoVm $Name
if ($vm.State -ne 'Stopped') { throw "The VM '$Name' is $($vm.State); it has to be stopped." }
$seconds = foreach ($run in 1..$Count) {
    Write-Progress 'Measuring boots' $Name -PercentComplete (100 * ($run - 1) / $Count)
    try {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Start-StratoVm $Name
        Wait-StratoVm $Name -For Console -Match $Ready -Timeout $Timeout
        $watch.Elapsed.TotalSeconds
        $resident = (Get-StratoVm $Name).MemoryResident
    }
    finally {
        Stop-StratoVm $Name -TurnOff -Force
    }
}
Write-Progress 'Measuring boots' -Completed
$sorted = @($seconds | Sort-Object)
[pscustomobject]@{
    Name           = $Name
    Fastest        = [math]::Round($sorted[0], 3)
    Median         = [math]::Round($sorted[[math]::Floor(($sorted.Count - 1) / 2)], 3)
    Slowest        = [math]::Round($sorted[-1], 3)
    Boots          = @($seconds | ForEach-Object { [math]::Round($_, 3) })
    MemoryResident = $resident
}
