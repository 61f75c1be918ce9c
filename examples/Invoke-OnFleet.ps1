<#
.SYNOPSIS
Runs a command in the guests of VMs, all at once, and shows the answers side by side.
.DESCRIPTION
Uses the guest agent, so no network and no password is needed. VMs whose agent doesn't answer are among the results, with the error. The exit code of the script
is the number of guests that didn't succeed, at most 255.
.PARAMETER FilePath
A script of the host that is copied into each guest, run, and removed.
.EXAMPLE
./Invoke-OnFleet.ps1 web* -Command 'uname -r' | Group-Object Output
.EXAMPLE
./Invoke-OnFleet.ps1 web* -FilePath ./update.sh -Timeout 600
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding(DefaultParameterSetName = 'Command')]
param(
    [Parameter(Mandatory, Position = 0)] [SupportsWildcards()] [string[]] $Name,
    [Parameter(Mandatory, ParameterSetName = 'Command')] [string] $Command,
    [Parameter(Mandatory, ParameterSetName = 'FilePath')] [string] $FilePath,
    [int] $Timeout = 60
)
$vms = @(Get-StratoVm $Name | Where-Object State -EQ Running)
$problems = @()
$ready = $vms
if ($FilePath) {
    $there = "/tmp/strato-$([guid]::NewGuid().ToString('n'))"
    $ready = @($vms | Copy-StratoGuestFile $FilePath $there -ToGuest -Mode 0700 -PassThru -ErrorAction SilentlyContinue -ErrorVariable +problems)
    $Command = "$there; code=`$?; rm -f $there; exit `$code"
}
$answers = @($ready | Invoke-StratoGuestCommand $Command -Timeout $Timeout -ErrorAction SilentlyContinue -ErrorVariable +problems)
foreach ($vm in $vms) {
    $answer = $answers | Where-Object VMId -EQ $vm.Id
    $problem = $problems | Where-Object { "$_".Contains("'$($vm.Name)'") } | Select-Object -First 1
    [pscustomobject]@{
        VMName   = $vm.Name
        ExitCode = $answer.ExitCode
        Output   = "$($answer.StandardOutput)".TrimEnd()
        Error    = $problem ? "$problem" : "$($answer.StandardError)".TrimEnd()
    }
}
exit [math]::Min(255, $vms.Count - @($answers | Where-Object ExitCode -EQ 0).Count)
