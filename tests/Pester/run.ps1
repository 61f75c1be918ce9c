#!/usr/bin/env pwsh
<#
.SYNOPSIS
Runs the Pester tests and ends with "N passed, N failed, N skipped".
.PARAMETER Tag
Unit (definitions, help, views), Engine (an engine and a tiny guest), Kvm (a stock guest; run it in tests/Lab/lab), Slow. All if omitted.
.PARAMETER ResultPath
A file for the last line, for those who add suites up.
.EXAMPLE
tests/Pester/run.ps1 -Tag Unit
.EXAMPLE
tests/Lab/lab -- pwsh -NoProfile tests/Pester/run.ps1 -Tag Kvm
#>
param(
    [string[]] $Tag,
    [string[]] $ExcludeTag,
    [string] $Name,
    [string] $ResultPath,
    [ValidateSet('None', 'Normal', 'Detailed')]
    [string] $Verbosity = 'Normal'
)
$ErrorActionPreference = 'Stop'
$files = @{ Unit = 'Module', 'Vm', 'Configuration', 'Scripts'; Engine = 'Engine', 'Console', 'Measure', 'Switch', 'Ephemeral', 'Snapshot', 'Configuration', 'Image', 'Interrupt', 'Examples', 'Objects', 'Scripts'; Kvm = 'Kvm', 'Measure', 'Switch', 'Ephemeral', 'Snapshot', 'Image', 'Examples', 'Scripts'; Slow = 'Module', 'Scale' }

# "pwsh -File run.ps1 -Tag Unit,Engine" hands over one text.
$Tag = @($Tag -split ',' | Where-Object { $_ })
$ExcludeTag = @($ExcludeTag -split ',' | Where-Object { $_ })
foreach ($given in $Tag + $ExcludeTag | Where-Object { $_ -notin $files.Keys }) {
    throw "The tag '$given' is unknown; tags are $($files.Keys | Sort-Object | Join-String -Separator ', ')."
}
Import-Module Pester -MinimumVersion 5.0
. "$PSScriptRoot/common.ps1"
$h = $global:StratoTestHost
"KVM: $($h.Kvm) ($($h.Reason)); engine: $($h.Engine ? 'built' : 'missing'); guest image: $($h.Guest ? 'built' : 'missing')"
foreach ($reason in $NoEngine, $NoGuest | Where-Object { $_ } | Select-Object -Unique) { "left out where needed: $reason" }

$configuration = New-PesterConfiguration
# Only the files that have such tests: discovery alone takes minutes on a software CPU.
$configuration.Run.Path = ($Tag ? $Tag : $files.Keys) | Where-Object { $_ -notin $ExcludeTag } | ForEach-Object { $files[$_] } |
    Sort-Object -Unique | ForEach-Object { Join-Path $PSScriptRoot "$_.Tests.ps1" }
if (-not $configuration.Run.Path.Value) { throw 'Every tag is left out; there is nothing to run.' }
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = $Verbosity
$configuration.Output.StackTraceVerbosity = 'FirstLine'
if ($Name) { $configuration.Filter.FullName = $Name }
if ($Tag) { $configuration.Filter.Tag = $Tag }
if ($ExcludeTag) { $configuration.Filter.ExcludeTag = $ExcludeTag }
$result = Invoke-Pester -Configuration $configuration

# A block whose set-up failed has run no test: that is a failure, too.
$failed = $result.FailedCount + $result.FailedBlocksCount + $result.FailedContainersCount
$line = "$($result.PassedCount) passed, $failed failed, $($result.SkippedCount) skipped"
if ($ResultPath) { Set-Content $ResultPath $line }
$line
exit [int]($failed -gt 0)
