#!/usr/bin/env pwsh
<#
.SYNOPSIS
Builds, tests and shows Strato, for those who live in PowerShell. Runs the same steps as build.sh.
.EXAMPLE
./build.ps1 -Task Build,Test
#>
param(
    [Parameter(Mandatory)]
    [ValidateSet('Build', 'Test', 'Docs', 'Package', 'Demo', 'Guest', 'Clean')]
    [string[]] $Task
)
$ErrorActionPreference = 'Stop'
$steps = @{
    Build   = 'eng/build.sh'
    Test    = 'eng/test.sh'
    Docs    = 'eng/help.sh'
    Package = 'eng/package.sh'
    Demo    = 'eng/demo.sh'
    Guest   = 'tests/Guest/image/build'
}
foreach ($name in $Task) {
    if ($name -eq 'Clean') {
        Remove-Item -Recurse -Force -ErrorAction Ignore (Join-Path $PSScriptRoot out)
        continue
    }
    & (Join-Path $PSScriptRoot $steps[$name])
    if ($LASTEXITCODE -ne 0) {
        Write-Error "Task $name failed with exit code $LASTEXITCODE."
    }
}
