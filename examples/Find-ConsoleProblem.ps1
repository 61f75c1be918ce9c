<#
.SYNOPSIS
Looks through the consoles and logs of VMs for what went wrong: panics, oopses, hung tasks, failing disks, warnings of the engine.
.DESCRIPTION
Emits one object for each line found, those of stopped VMs' last runs included.
.PARAMETER Pattern
Regular expressions; a line that matches one of them is a problem.
.EXAMPLE
./Find-ConsoleProblem.ps1 | Group-Object VMName
.EXAMPLE
if (./Find-ConsoleProblem.ps1 web*) { throw 'guests have problems' }
#>
#Requires -Version 7.4
#Requires -Modules Strato
[CmdletBinding()]
param(
    [Parameter(Position = 0)] [SupportsWildcards()] [string[]] $Name = '*',
    [string[]] $Pattern = @(
        'Kernel panic', '\bBUG:', '\bOops\b', 'Call Trace', 'blocked for more than \d+ seconds', 'soft lockup', 'rcu.*stall',
        'Out of memory', 'I/O error', 'Remounting filesystem read-only', 'EXT4-fs error'
    )
)
foreach ($vm in Get-StratoVm $Name) {
    $number = 0
    # A VM that has never run has neither.
    $vm | Get-StratoConsole -ErrorAction Ignore | ForEach-Object {
        $number++
        if ($_ -match ($Pattern -join '|')) {
            [pscustomobject]@{ VMName = $vm.Name; Source = 'Console'; Line = $number; Text = $_ -replace '\e\[[0-9;?]*[A-Za-z]' }
        }
    }
    $number = 0
    $vm | Get-StratoLog -ErrorAction Ignore | ForEach-Object {
        $number++
        if ($_.Level -in 'warning', 'error') {
            [pscustomobject]@{ VMName = $vm.Name; Source = 'Log'; Line = $number; Text = $_.Message }
        }
    }
}
