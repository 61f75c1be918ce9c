<#
.SYNOPSIS
Gives each virtual CPU of some VMs a CPU of the host for itself, as far as there are enough, and all else the ones that are left.
.DESCRIPTION
The host's CPUs are dealt out in the order of their numbers, beginning with -First; the engines' main threads and iothreads run on those before it.
Where CPUs don't suffice, they are dealt out anew from -First on, with a warning. Emits one object a virtual CPU.
.EXAMPLE
./Set-CpuPinning.ps1 db, web* -First 2
.EXAMPLE
./Set-CpuPinning.ps1 * -Clear
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory, Position = 0)] [SupportsWildcards()] [string[]] $Name,
    [int] $First = 1,
    [switch] $Clear
)
$ErrorActionPreference = 'Stop'
$vms = @(Get-StratoVm $Name | Sort-Object Name)
if ($Clear) {
    $vms | Where-Object { $PSCmdlet.ShouldProcess($_.Name, 'Let its threads run anywhere') } | Set-StratoCpu -Affinity ''
    return
}
$cpus = @($First..([System.Environment]::ProcessorCount - 1))
if ($First -ge [System.Environment]::ProcessorCount) { throw "-First $First leaves no CPU; the host has $([System.Environment]::ProcessorCount), numbered from 0." }
$wanted = ($vms | Measure-Object Cpu -Sum).Sum
if ($wanted -gt $cpus.Count) { Write-Warning "$wanted virtual CPUs share $($cpus.Count) of the host's." }
$next = 0
foreach ($vm in $vms) {
    if (-not $PSCmdlet.ShouldProcess($vm.Name, 'Pin its threads')) { continue }
    if ($First -gt 0) { $vm | Set-StratoCpu -Emulator -Affinity "0-$($First - 1)" }
    foreach ($index in 0..($vm.Cpu - 1)) {
        $vm | Set-StratoCpu -Cpu $index -Affinity $cpus[$next++ % $cpus.Count]
    }
    Get-StratoCpu $vm.Name | Select-Object VMName, Index, Affinity
}
