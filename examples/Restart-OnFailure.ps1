<#
.SYNOPSIS
Starts VMs again that end by a failure: a crash, a panic, kill -9, the host's out-of-memory killer.
.DESCRIPTION
Runs until Ctrl-C. A VM whose guest powered off, or that someone stopped, stays stopped. One that fails more often than -Limit times within
-Within seconds is left alone, so that a VM that can't run doesn't keep the host busy. Emits one object for each end.
.EXAMPLE
./Restart-OnFailure.ps1 web*, db
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding()]
param(
    [Parameter(Position = 0)] [SupportsWildcards()] [string[]] $Name = '*',
    [int] $Limit = 3,
    [int] $Within = 300
)
$failures = @{}
Watch-StratoEvent $Name -Event ENDED | ForEach-Object {
    $end = $_
    $action = 'none'
    $vm = Get-StratoVm -Id $end.VMId -ErrorAction Ignore
    # An end in order has no reason.
    if ($vm.StateReason -and $vm.State -eq 'Stopped') {
        $recent = @($failures[$end.VMId] | Where-Object { $_ -gt $end.Time.AddSeconds(-$Within) }) + $end.Time
        $failures[$end.VMId] = $recent
        $action = if ($recent.Count -gt $Limit) { 'given up' } else {
            $vm | Start-StratoVm
            'started again'
        }
    }
    [pscustomobject]@{ Time = $end.Time; Name = $end.VMName; Reason = $end.Data.reason; Action = $action }
}
