<#
.SYNOPSIS
Takes memory from guests when the host runs short of it, and gives it back when there is enough.
.DESCRIPTION
Looks every -Interval seconds. Below -Low bytes of available memory each running VM with a balloon is asked for -Step, the largest first and none below
-Minimum; above -High it gets as much back. Between the two nothing changes, so that memory doesn't go to and fro. VMs without a balloon
are left alone (Add-StratoBalloon gives them one). Emits one object for each change; runs until Ctrl-C, or for -Count looks.
.EXAMPLE
./Resize-ByPressure.ps1 -Low 4GB -High 8GB
.EXAMPLE
./Resize-ByPressure.ps1 -Low 4GB -Count 1 -WhatIf
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory)] [long] $Low,
    [long] $High = 2 * $Low,
    [long] $Step = 128MB,
    [long] $Minimum = 256MB,
    [int] $Interval = 10,
    [int] $Count = [int]::MaxValue
)
if ($High -lt $Low) { throw "-High $High is below -Low $Low." }
for ($look = 1; $look -le $Count; $look++) {
    $available = (Get-StratoHost).MemoryAvailable
    $direction = if ($available -lt $Low) { -1 } elseif ($available -gt $High) { 1 } else { 0 }
    $balloons = Get-StratoVm | Where-Object State -EQ Running | Get-StratoBalloon
    if ($direction -eq 0) { $balloons = @() }
    foreach ($balloon in $balloons | Sort-Object Actual -Descending) {
        $target = [math]::Clamp($balloon.Actual + $direction * $Step, [math]::Min($Minimum, $balloon.Memory), $balloon.Memory)
        # One that is below the minimum already isn't given memory by that.
        if ($target -eq $balloon.Actual -or ($direction -lt 0 -and $target -gt $balloon.Actual) -or -not $PSCmdlet.ShouldProcess($balloon.VMName, "Ask its guest to have $($target / 1MB) MB")) { continue }
        Set-StratoBalloon $balloon.VMName -Target $target
        [pscustomobject]@{ Time = Get-Date; VMName = $balloon.VMName; HostAvailable = $available; From = $balloon.Actual; Target = $target }
    }
    if ($look -lt $Count) { Start-Sleep $Interval }
}
