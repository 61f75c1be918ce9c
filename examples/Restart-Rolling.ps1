<#
.SYNOPSIS
Restarts VMs one after the other, each only when the one before is up again.
.DESCRIPTION
Asks each guest to power off, starts it again, and waits until its console says that it is up. The first that doesn't come up ends the run,
so that the others go on serving. Emits one object a restarted VM.
.PARAMETER Ready
What the guest prints on its console when it is up (a regular expression).
.PARAMETER Test
A command that has to succeed in the guest, by its guest agent, before the next VM has its turn.
.EXAMPLE
./Restart-Rolling.ps1 web* -Test 'systemctl is-active nginx' -WhatIf
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory, Position = 0)] [SupportsWildcards()] [string[]] $Name,
    [string] $Ready = 'login:',
    [string] $Test,
    [int] $TurnOffAfter = 60,
    [int] $Timeout = 120
)
$ErrorActionPreference = 'Stop'
foreach ($vm in Get-StratoVm $Name | Where-Object State -EQ Running | Sort-Object Name) {
    if (-not $PSCmdlet.ShouldProcess($vm.Name, 'Restart and wait')) { continue }
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $vm | Restart-StratoVm -TurnOffAfter $TurnOffAfter
    $vm | Wait-StratoVm -For Console -Match $Ready -Timeout $Timeout
    if ($Test) {
        $vm | Wait-StratoVm -For GuestAgent -Timeout $Timeout
        $result = $vm | Invoke-StratoGuestCommand $Test -Timeout $Timeout
        if ($result.ExitCode -ne 0) { throw "'$Test' failed in $($vm.Name) ($($result.ExitCode)), so no other VM is restarted: $($result.StandardError)" }
    }
    [pscustomobject]@{ Name = $vm.Name; Seconds = [math]::Round($watch.Elapsed.TotalSeconds, 1) }
}
