#!/usr/bin/env pwsh
<#
.SYNOPSIS
Builds, tests and shows Strato, for those who live in PowerShell. Runs the same steps as build.sh.
.PARAMETER Task
One or several of Build, Test, Docs, Package, Demo, Guest and Clean, in the order in which they are to run.
.EXAMPLE
./build.ps1 -Task Build,Test
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory)]
    [ArgumentCompletions('Build', 'Test', 'Docs', 'Package', 'Demo', 'Guest', 'Clean')]
    [string[]] $Task
)
$ErrorActionPreference = 'Stop'
$steps = [ordered]@{
    Build   = 'eng/build.sh'
    Test    = 'eng/test.sh'
    Docs    = 'eng/help.sh'
    Package = 'eng/package.sh'
    Demo    = 'eng/demo.sh'
    Guest   = 'tests/Guest/image/build'
    Clean   = ''
}
# Another shell (and pwsh -File) hands over 'Build,Test' as one word.
$names = @($Task -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ })
$unknown = $names | Where-Object { -not $steps.Contains($_) }
if ($unknown) {
    throw "Unknown task '$($unknown -join "', '")'; tasks are $($steps.Keys -join ', ')."
}
foreach ($name in $names) {
    if (-not $PSCmdlet.ShouldProcess($name, 'Run task')) {
        continue
    }
    if ($name -eq 'Clean') {
        Remove-Item -Recurse -Force -ErrorAction Ignore (Join-Path $PSScriptRoot out)
        continue
    }
    & (Join-Path $PSScriptRoot $steps[$name])
    if ($LASTEXITCODE -ne 0) {
        throw "Task $name failed with exit code $LASTEXITCODE."
    }
}
